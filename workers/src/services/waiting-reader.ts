import type { Presence } from '@tunnox/domain/presence';
import type { UpstreamRow } from './binding-ports.ts';
import type { LedgerOwners } from './ledger-ports.ts';

/** A mapping or a domain, as far as it can be active. */
interface Activatable {
  user_id: number | null;
  enabled: boolean;
  upstreams: UpstreamRow[];
}

/** Tells which bindings are not active because others of their user's have the places. */
export interface WaitingReader {
  /** @returns Ids such as `mapping:1001`. */
  read(records: readonly Activatable[], presences: ReadonlyMap<number, Presence>): Promise<ReadonlySet<string>>;
}

/** Asks the ledgers of those users only of whom something could be active. */
export function createWaitingReader(ledgers: Pick<LedgerOwners, 'waiting'>): WaitingReader {
  return {
    async read(records, presences) {
      const could = records.filter(
        ({ enabled, upstreams }) => enabled && upstreams.some(({ client_id }) => presences.has(client_id)),
      );
      const userIds = new Set(could.flatMap(({ user_id }) => (user_id === null ? [] : [user_id])));
      // What a state is shown for must not fail with it.
      const waiting = await Promise.all([...userIds].map((userId) => ledgers.waiting(userId).catch(() => [])));
      return new Set(waiting.flat());
    },
  };
}
