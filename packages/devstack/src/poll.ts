import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 50;

/**
 * Asks again and again until the answer is not null: for a part that has no event to wait for.
 *
 * @throws What `signal` is aborted with.
 */
export async function poll<T>(ask: () => Promise<T | null>, signal: AbortSignal): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    const answer = await ask().catch(() => null);
    if (answer !== null) return answer;
    await delay(PAUSE_MS, undefined, { signal });
  }
}

/** True once `url` answers with the status; for poll(). */
export async function answers(url: string, status: number, init: RequestInit = {}): Promise<true | null> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000), redirect: 'manual', ...init });
  await response.body?.cancel();
  return response.status === status ? true : null;
}
