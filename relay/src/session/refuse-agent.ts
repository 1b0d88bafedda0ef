import type { Http2Session } from 'node:http2';
import type { RefusedCode } from '@tunnox/protocol/control-message';
import type { Clock } from '../clock.ts';
import { HelloRefused } from './check-hello.ts';
import { endSession } from './end-session.ts';
import type { RelayChannel } from './listen-to-agent.ts';

/** An agent that is turned away because of us, not because of it, comes again after this. */
const RETRY_AFTER_MS = 2_000;

/** Codes that say nothing against the agent. */
const OURS: ReadonlySet<RefusedCode> = new Set(['draining', 'overloaded', 'unavailable']);

/**
 * Tells an agent why it is turned away, and ends its session.
 *
 * @param error Why; anything but a `HelloRefused` is our own fault.
 * @returns The code that was sent.
 */
export function refuseAgent(error: unknown, session: Http2Session, channel: RelayChannel, clock: Clock): RefusedCode {
  const known = error instanceof HelloRefused;
  const code = known ? error.code : 'unavailable';
  const message = known ? error.message : 'The relay cannot check the ticket now';
  channel.send({ type: 'refused', code, message, ...(OURS.has(code) ? { retry_after_ms: RETRY_AFTER_MS } : {}) });
  endSession(session, channel, clock, 0);
  return code;
}

/** Refusals by code. */
export class RefusalCounts {
  readonly #counts = new Map<RefusedCode | 'timeout', number>();

  add(code: RefusedCode | 'timeout'): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
  }

  snapshot(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
