import type { Http2Stream } from 'node:http2';

/** Counts the tunnels of a connection that have not ended. */
export class OpenStreams {
  #count = 0;
  #onEmpty: (() => void) | null = null;

  add(stream: Http2Stream): void {
    this.#count += 1;
    stream.once('close', () => {
      this.#count -= 1;
      if (this.#count === 0) this.#onEmpty?.();
    });
  }

  whenEmpty(callback: () => void): void {
    if (this.#count === 0) callback();
    else this.#onEmpty = callback;
  }
}
