import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

/**
 * Repeats `attempt` until `accepts` says yes: for conditions of other processes that send no event.
 *
 * @throws {Error} after `timeoutMs`, with the last answer or error.
 */
export async function eventually<T>(
  attempt: () => Promise<T>,
  accepts: (value: T) => boolean,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const outcome = await settle(attempt);
    if ('value' in outcome && accepts(outcome.value)) return outcome.value;
    if (Date.now() > deadline) {
      const last = 'value' in outcome ? JSON.stringify(outcome.value)?.slice(0, 500) : String(outcome.error);
      throw new Error(`Waited ${timeoutMs} ms in vain; the last answer was ${last}`);
    }
    await sleep(POLL_MS);
  }
}

async function settle<T>(attempt: () => Promise<T>): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await attempt() };
  } catch (error) {
    return { error };
  }
}
