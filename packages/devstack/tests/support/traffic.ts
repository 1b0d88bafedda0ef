import { EventEmitter, once } from 'node:events';
import { visit, type Door } from './visit.ts';

export interface Traffic {
  /** Resolves after `count` more good answers. */
  answers: (count: number) => Promise<void>;
  forgetFailures: () => void;
  stop: () => Promise<{ answered: number; failures: string[] }>;
}

/** Visits `host` again and again, a few requests at a time, until stopped; keeps what went wrong. */
export function startTraffic(door: Door, host: string, expected = '', visitors = 4): Traffic {
  const events = new EventEmitter();
  let answered = 0;
  let failures: string[] = [];
  let running = true;
  const loop = async () => {
    while (running) {
      try {
        const answer = await visit(door, host, '/', { timeoutMs: 10_000 });
        if (answer.status !== 200 || (expected !== '' && answer.text !== expected)) {
          failures.push(`${answer.status} ${answer.text.slice(0, 200)}`);
          continue;
        }
        answered += 1;
        events.emit('answer');
      } catch (error) {
        failures.push(String(error));
      }
    }
  };
  const loops = Array.from({ length: visitors }, loop);
  return {
    answers: async (count) => {
      const goal = answered + count;
      while (answered < goal) await once(events, 'answer', { signal: AbortSignal.timeout(60_000) });
    },
    forgetFailures: () => {
      failures = [];
    },
    stop: async () => {
      running = false;
      await Promise.all(loops);
      return { answered, failures };
    },
  };
}
