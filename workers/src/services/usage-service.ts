import type { UsageAnswer, UsageRequest } from '@tunnox/domain/relay-api';
import type { RelayIdentity } from '../tickets/relay-tokens.ts';
import type { LedgerOwners } from './ledger-ports.ts';
import type { UsageRepository } from './live-ports.ts';

export interface UsageServiceDeps {
  usage: UsageRepository;
  ledgers: Pick<LedgerOwners, 'used'>;
  /** Lets work go on after the answer. */
  later: (work: Promise<unknown>) => void;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** How fast a user was longer ago says nothing about its shares now; clocks may differ by minutes. */
const SHARED_AGE_MS_MAX = 300_000;

/** What relays report of traffic. */
export class UsageService {
  readonly #deps: UsageServiceDeps;

  constructor(deps: UsageServiceDeps) {
    this.#deps = deps;
  }

  /** Adds the counts, once however often they come. @returns What is left to those whom the report names. */
  async report(relay: RelayIdentity, report: UsageRequest): Promise<UsageAnswer> {
    const { usage, ledgers, later, now } = this.#deps;
    const answer = await usage.add(relay, report);
    const { shared = [], taken_at } = report;
    const old = taken_at !== undefined && now() - Date.parse(taken_at) > SHARED_AGE_MS_MAX;
    if (!old) {
      for (const { user_id, bytes_per_s } of shared) later(ledgers.used(user_id, relay.nodeId, bytes_per_s));
    }
    return answer;
  }
}
