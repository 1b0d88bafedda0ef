/** Things that happened, in order, each to be taken once. */
export class EventQueue<T> {
  readonly all: T[] = [];
  #taken = 0;
  #waiting: (() => void)[] = [];

  push(event: T): void {
    this.all.push(event);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The next event that was not taken yet and for which `wanted` is true; those before it are passed over. */
  async next<S extends T = T>(wanted: ((event: T) => event is S) | ((event: T) => boolean) = () => true): Promise<S> {
    for (;;) {
      while (this.#taken < this.all.length) {
        const event = this.all[this.#taken] as T;
        this.#taken += 1;
        if (wanted(event)) return event as S;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}
