import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 50;
const TRY_TIMEOUT_MS = 2000;

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

/** True once `host` answers with 200 at a port of 127.0.0.1; for poll(). Not by fetch, which sets its own Host. */
export async function answersAt(port: number, host: string): Promise<true | null> {
  return await new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, headers: { host }, agent: false, timeout: TRY_TIMEOUT_MS });
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? true : null);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', reject);
  });
}
