/** A part that runs: something with a pid that may end by itself. */
export interface Running {
  pid: number;
  /** Settles when it has ended. */
  exited: Promise<void>;
  stop: () => Promise<void>;
}

export interface KeeperOptions {
  /** For messages: `relay 1`. */
  name: string;
  start: () => Promise<Running>;
  /** Called for every start, also the first; the part serves then. */
  onStarted: (pid: number) => Promise<void>;
  /** Null: a part that ends stays away. */
  restartDelayMs: number | null;
  print: (line: string) => void;
}

/** Starts a part, and starts it again whenever it ends by itself. */
export class Keeper {
  readonly #options: KeeperOptions;
  #running: Running | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #starting: Promise<void> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** @throws What the first start throws; later ones are tried for ever. */
  async start(): Promise<void> {
    this.#starting = this.#launch();
    await this.#starting;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#starting?.catch(() => {});
    await this.#running?.stop();
  }

  async #launch(): Promise<void> {
    if (this.#stopped) return;
    const running = await this.#options.start();
    this.#running = running;
    void running.exited.then(() => this.#ended(running));
    if (this.#stopped) await running.stop();
    else await this.#options.onStarted(running.pid);
  }

  #ended(running: Running): void {
    if (this.#running === running) this.#running = undefined;
    if (this.#stopped) return;
    const { name, restartDelayMs, print } = this.#options;
    if (restartDelayMs === null) {
      print(`${name} has ended`);
      return;
    }
    print(`${name} has ended: it is started again in ${restartDelayMs / 1000} s`);
    this.#later(restartDelayMs);
  }

  #later(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#starting = this.#launch().then(
        () => {
          if (!this.#stopped) this.#options.print(`${this.#options.name} is back`);
        },
        (error: unknown) => {
          if (this.#stopped) return;
          this.#options.print(error instanceof Error ? error.message : String(error));
          if (this.#running === undefined) this.#later(delayMs);
        },
      );
    }, delayMs);
  }
}
