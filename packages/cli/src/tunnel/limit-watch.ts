import type { AgentEvent } from '@tunnox/agent/agent-event';

type LimitsNotice = Extract<AgentEvent, { type: 'limits' }>['limits'];

/** What a notice of limits tells a person: something that begins, or that is over. */
export interface LimitTurn {
  event: 'problem' | 'resolved';
  code: 'traffic_limit' | 'active_limit';
  message: string;
  binding_id?: string;
}

/** Turns notices of limits, which say how things are, into what has changed. */
export class LimitWatch {
  #exhausted = false;
  #waiting: ReadonlySet<string> = new Set();

  /** @returns What is new in it. */
  take({ traffic_exhausted, waiting_bindings = [] }: LimitsNotice): LimitTurn[] {
    const turns: LimitTurn[] = [];
    if (traffic_exhausted !== this.#exhausted) {
      turns.push(traffic_exhausted ? { event: 'problem', ...USED_UP } : { event: 'resolved', ...LEFT_AGAIN });
    }
    const waiting = new Set(waiting_bindings);
    for (const binding_id of waiting) {
      if (this.#waiting.has(binding_id)) continue;
      const message = `${binding_id} waits: your other tunnels have the places of those that may be active at once`;
      turns.push({ event: 'problem', code: 'active_limit', message, binding_id });
    }
    for (const binding_id of this.#waiting) {
      if (waiting.has(binding_id)) continue;
      turns.push({ event: 'resolved', code: 'active_limit', message: `${binding_id} waits no longer`, binding_id });
    }
    this.#exhausted = traffic_exhausted;
    this.#waiting = waiting;
    return turns;
  }
}

const USED_UP = { code: 'traffic_limit', message: "The month's traffic is used up: visitors are turned away" } as const;
const LEFT_AGAIN = { code: 'traffic_limit', message: 'There is traffic again: visitors are served' } as const;
