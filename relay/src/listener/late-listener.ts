import type { Logger } from '@tunnox/observability/logger';

interface Listener {
  start(): Promise<number>;
  stop(): void;
}

/** A listener that begins when there is something to serve, perhaps long after the start, perhaps never. */
export class LateListener {
  readonly #listener: Listener;
  readonly #log: Logger;
  #state: 'waiting' | 'begun' | 'stopped' = 'waiting';

  constructor(listener: Listener, log: Logger) {
    this.#listener = listener;
    this.#log = log;
  }

  /** Begins now. @throws {ListenError} */
  async start(): Promise<void> {
    if (this.#state !== 'waiting') return;
    this.#state = 'begun';
    await this.#listener.start();
    // Stopped while it was beginning.
    if (this.#isStopped()) this.#listener.stop();
  }

  /** The same for who cannot wait: the relay goes on without it if the port cannot be had. */
  begin(): void {
    this.start().catch((error: unknown) => {
      if (this.#isStopped()) return;
      this.#state = 'waiting';
      this.#log.error({ reason: String(error) }, 'There are certificates, and HTTPS cannot be served');
    });
  }

  stop(): void {
    this.#state = 'stopped';
    this.#listener.stop();
  }

  #isStopped(): boolean {
    return this.#state === 'stopped';
  }
}
