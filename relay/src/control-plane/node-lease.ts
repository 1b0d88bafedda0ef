import type { NodeAddress } from '@tunnox/domain/presence';
import type { Logger } from '@tunnox/observability/logger';
import type { Clock, Timer } from '../clock.ts';

export interface NodeLeaseDeps {
  /** Writes this node's record; false: a newer incarnation holds the id. */
  put: (node: NodeAddress) => Promise<boolean>;
  clock: Clock;
  log: Logger;
}

/** A third of the record's life. */
const RENEW_MS = 10_000;

/** Keeps this relay's own record in the projection alive, also while the control plane is away. */
export class NodeLease {
  readonly #deps: NodeLeaseDeps;
  #node: NodeAddress;
  #timer: Timer | null = null;
  #running = false;
  #failing = false;

  constructor(deps: NodeLeaseDeps, node: NodeAddress) {
    this.#deps = deps;
    this.#node = node;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#renew();
  }

  /** Tells the new status at once. */
  setStatus(status: NodeAddress['status']): void {
    this.#node = { ...this.#node, status };
    if (this.#running) void this.#renew();
  }

  stop(): void {
    this.#running = false;
    this.#timer?.cancel();
  }

  async #renew(): Promise<void> {
    const { put, clock, log } = this.#deps;
    this.#timer?.cancel();
    try {
      if (!(await put(this.#node))) log.warn('Redis holds a newer incarnation of this node');
      if (this.#failing) log.info('Redis is back');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        log.warn({ reason: String(error) }, 'Redis does not answer: look-ups go to the control plane');
      this.#failing = true;
    }
    this.#timer?.cancel();
    if (this.#running) this.#timer = clock.timer(RENEW_MS, () => void this.#renew());
  }
}
