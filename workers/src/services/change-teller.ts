import type { Log } from './node-ports.ts';
import type { ChangeDelivery, Delivery } from './ports.ts';

/** How long a create or an update waits for the agents to put it into effect. */
const APPLY_WAIT_MS = 2000;

/** Tells relays and agents of what was committed. A failure here is only logged: the sweep delivers later. */
export class ChangeTeller {
  readonly #delivery: ChangeDelivery;
  readonly #log: Log;

  constructor(delivery: ChangeDelivery, log: Log) {
    this.#delivery = delivery;
    this.#log = log;
  }

  /** Waits up to 2 s for the agents. */
  untilApplied(outboxIds: number[]): Promise<Delivery[]> {
    return this.#deliver(outboxIds, APPLY_WAIT_MS);
  }

  /** Waits only until the change is on its way. */
  async onItsWay(outboxIds: number[]): Promise<void> {
    await this.#deliver(outboxIds, 0);
  }

  async #deliver(outboxIds: number[], waitMs: number): Promise<Delivery[]> {
    if (outboxIds.length === 0) return [];
    try {
      return await this.#delivery.deliver(outboxIds, waitMs);
    } catch (error) {
      this.#log.warn({ err: String(error), outbox_ids: outboxIds }, 'A change is left to the sweep');
      return [];
    }
  }
}
