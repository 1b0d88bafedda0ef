interface Waiter<T> {
  version: number;
  resolve(result: T): void;
}

/** Those who wait until an agent reports a configuration version. They live as long as their requests. */
export class VersionWaiters<T> {
  readonly #waiters = new Set<Waiter<T>>();

  /** @returns What {@link settle} gave for `version` or a later one; null after `waitMs`. */
  wait(version: number, waitMs: number): Promise<T | null> {
    return new Promise((resolve) => {
      const finish = (result: T | null): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve(result);
      };
      const waiter: Waiter<T> = { version, resolve: finish };
      const timer = setTimeout(() => finish(null), waitMs);
      this.#waiters.add(waiter);
    });
  }

  /** Ends the waiting for `version` and all before it. */
  settle(version: number, result: T): void {
    for (const waiter of [...this.#waiters]) {
      if (waiter.version <= version) waiter.resolve(result);
    }
  }
}
