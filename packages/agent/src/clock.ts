/** Time and timers; injected so that tests need not wait. */
export interface Clock {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Calls back once after `delayMs`. */
  timer(delayMs: number, callback: () => void): { cancel(): void };
}

export const systemClock: Clock = {
  now: () => performance.now(),
  timer: (delayMs, callback) => {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
