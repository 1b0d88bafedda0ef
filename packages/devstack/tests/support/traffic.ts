import { EventEmitter, once } from 'node:events';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { visit, type Door } from './visit.ts';

export interface Traffic {
  /** Resolves after `count` more good answers. */
  answers: (count: number) => Promise<void>;
  forgetFailures: () => void;
  stop: () => Promise<{ answered: number; failures: string[] }>;
}

/** Each visitor's rest between two requests: the load is steady, and leaves the machine to those who are tested. */
const REST_MS = 10;
const VISITORS = 4;

/** Visits `host` again and again, a few requests at a time, until the test ends; keeps what went wrong. */
export function startTraffic(t: TestContext, door: Door, host: string, expected = ''): Traffic {
  const events = new EventEmitter();
  let answered = 0;
  let failures: string[] = [];
  let running = true;
  const loop = async () => {
    while (running) {
      await pause(REST_MS);
      try {
        const answer = await visit(door, host, '/', { timeoutMs: 10_000 });
        if (answer.status !== 200 || (expected !== '' && answer.text !== expected)) {
          failures.push(`${new Date().toISOString()} ${answer.status} ${answer.text.slice(0, 200)}`);
          continue;
        }
        answered += 1;
        events.emit('answer');
      } catch (error) {
        failures.push(`${new Date().toISOString()} ${String(error)}`);
      }
    }
  };
  t.after(() => {
    running = false;
  });
  const loops = Array.from({ length: VISITORS }, loop);
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
