import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 50;

/**
 * Asks until the answer is true: for a condition without an event, such as the end of a process of somebody else.
 *
 * @throws {Error} after `timeoutMs`, with the last error of `holds`.
 */
export async function waitFor(holds: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  let last: unknown;
  for (const end = performance.now() + timeoutMs; performance.now() < end; await delay(PAUSE_MS)) {
    try {
      if (await holds()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`What was waited for did not come in ${timeoutMs} ms`, { cause: last });
}
