import type { ChangeTeller } from './change-teller.ts';
import type { PresenceReader } from './ports.ts';
import type { EndedRows, RouteEndRepository } from './route-ports.ts';

export interface RouteEndingDeps {
  endings: RouteEndRepository;
  presences: PresenceReader;
  teller: ChangeTeller;
}

/** Rows of a kind that one statement takes away: short enough that nobody waits for it. */
const BATCH = 1000;

/** What one run of the sweep ends at the most, in batches; the next one goes on. Look-ups have ended it before. */
const BATCHES_MAX = 100;

/** Relays and agents are told of so many batches at once: a client with many routes hears of them together. */
const TOLD_AFTER = 10;

const CLIENTS_MAX = 500;

/** An agent that was away for longer gets its whole configuration. */
const CHANGES_KEPT_DAYS = 7;
const CHANGES_BATCH = 10_000;

/** Ends what was made for a time: mappings and names whose time is over, and routes whose client's agent has left. */
export class RouteEndings {
  readonly #deps: RouteEndingDeps;

  constructor(deps: RouteEndingDeps) {
    this.#deps = deps;
  }

  /** Agents have been detached: what was made to last while they were there ends. */
  async clientsLeft(clientIds: number[]): Promise<void> {
    if (clientIds.length === 0) return;
    await this.#inBatches(() => this.#deps.endings.endOfClients(clientIds, BATCH));
  }

  /** Takes away what is over; heals what nobody was told of, such as a relay that died with its agents. */
  async sweep(): Promise<void> {
    const { endings, presences } = this.#deps;
    await this.#inBatches(() => endings.endExpired(BATCH));
    const left = await endings.clientsLeft(CLIENTS_MAX);
    if (left.length > 0) {
      // Postgres may not have heard yet of where an agent has gone; its owner has.
      const attached = await presences.read(left);
      await this.clientsLeft(left.filter((clientId) => !attached.has(clientId)));
    }
    await endings.forgetChanges(CHANGES_KEPT_DAYS, CHANGES_BATCH);
  }

  async #inBatches(end: () => Promise<EndedRows>): Promise<void> {
    let outboxIds: number[] = [];
    try {
      for (let batch = 1; batch <= BATCHES_MAX; batch += 1) {
        const ended = await end();
        outboxIds.push(...ended.outboxIds);
        if (ended.count < BATCH) break;
        if (batch % TOLD_AFTER !== 0) continue;
        await this.#deps.teller.onItsWay(outboxIds);
        outboxIds = [];
      }
    } finally {
      await this.#deps.teller.onItsWay(outboxIds);
    }
  }
}
