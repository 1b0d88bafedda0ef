import type { Presence } from '@tunnox/domain/presence';
import type { NodeOwners, PresenceOwners } from '../services/live-ports.ts';
import type { PresenceReader } from '../services/ports.ts';

/** Reads where clients are: their owners' word, as far as the relay that it names lives. */
export function createPresenceReader(presences: PresenceOwners, nodes: NodeOwners): PresenceReader {
  return {
    async read(clientIds) {
      const attached: Presence[] = [];
      await Promise.all(
        [...new Set(clientIds)].map(async (clientId) => {
          const { presence } = await presences.locate(clientId);
          if (presence !== null) attached.push(presence);
        }),
      );
      const runs = new Map(attached.map((one) => [runOf(one), one]));
      const live = new Set<string>();
      await Promise.all(
        [...runs].map(async ([run, { node_id, incarnation }]) => {
          if ((await nodes.locate(node_id, incarnation)) !== null) live.add(run);
        }),
      );
      return new Map(attached.filter((one) => live.has(runOf(one))).map((one) => [one.client_id, one]));
    },
  };
}

function runOf({ node_id, incarnation }: Presence): string {
  return `${node_id} ${incarnation}`;
}
