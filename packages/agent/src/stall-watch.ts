import type { Clock } from './clock.ts';

const TICK_MS = 1_000;
/** A timer that is later than this was not late: the machine slept or the process was stopped. */
const STALL_MS = 5_000;

/**
 * Notices that this process did not run for a while (sleep of a laptop, SIGSTOP), when connections may have died
 * unseen.
 *
 * @param wallNow Milliseconds of the wall clock: on some systems the monotonic one stands still in a sleep.
 * @returns Ends the watch.
 */
export function watchStalls(clock: Clock, wallNow: () => number, onAwake: () => void): () => void {
  let timer: { cancel(): void };
  const begin = (): void => {
    const wallMs = wallNow();
    const monotonicMs = clock.now();
    timer = clock.timer(TICK_MS, () => {
      const passedMs = Math.max(wallNow() - wallMs, clock.now() - monotonicMs);
      begin();
      if (passedMs > TICK_MS + STALL_MS) onAwake();
    });
  };
  begin();
  return () => timer.cancel();
}
