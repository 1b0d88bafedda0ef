import type {
  AttachedSession,
  AttachmentRepository,
  DetachedSession,
  NodeOwners,
  PresenceOwners,
  SessionKey,
} from './live-ports.ts';
import type { SessionRepository } from './session-ports.ts';

export interface HealSessionsDeps {
  sessions: SessionRepository;
  attachments: Pick<AttachmentRepository, 'recordAttached' | 'recordDetached'>;
  nodes: Pick<NodeOwners, 'notedClients'>;
  presences: Pick<PresenceOwners, 'locate'>;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Short transactions; a relay that had more agents is done in several. */
const DEAD_AT_ONCE = 1000;
const DEAD_ROUNDS_MAX = 50;

/** What one sweep looks at, at the most. In a large cluster each relay has its turn after some time. */
const NODES_MAX = 3;
const CLIENTS_MAX = 500;

/**
 * Ends the sessions of relays that died, and puts right what Postgres missed while it was away: where others are noted at
 * a relay than have open sessions there, the owners of those that differ are asked.
 */
export async function healSessions(deps: HealSessionsDeps): Promise<void> {
  for (let round = 0; round < DEAD_ROUNDS_MAX; round += 1) {
    if ((await deps.sessions.endDead(DEAD_AT_ONCE)) < DEAD_AT_ONCE) break;
  }
  for (const { node_id, incarnation, clients } of await deps.sessions.runsToCheck(NODES_MAX)) {
    const noted = await deps.nodes.notedClients(node_id);
    if (clientSum(noted) !== clients) await healNode(deps, node_id, incarnation, noted);
  }
}

/** Tells sets of clients apart without their ids, whatever their order: number, sum, sum of squares. */
export function clientSum(ids: readonly number[]): string {
  let [sum, squares] = [0n, 0n];
  for (const id of ids) {
    sum += BigInt(id);
    squares += BigInt(id) * BigInt(id);
  }
  return `${ids.length} ${sum} ${squares}`;
}

async function healNode(
  deps: HealSessionsDeps,
  nodeId: string,
  incarnation: string,
  noted: readonly number[],
): Promise<void> {
  const rows = await deps.sessions.openOf(nodeId, incarnation);
  const here = new Set(noted);
  const open = new Map(rows.map((row) => [row.client_id, row]));
  const differing = [...noted.filter((id) => !open.has(id)), ...[...open.keys()].filter((id) => !here.has(id))];
  const attached: AttachedSession[] = [];
  const detached: DetachedSession[] = [];
  await Promise.all(
    differing.slice(0, CLIENTS_MAX).map(async (clientId) => {
      const { presence, order } = await deps.presences.locate(clientId);
      const row = open.get(clientId);
      if (presence?.node_id === nodeId && presence.incarnation === incarnation) {
        const { client_id, instance_id, connect_seq, node_id, attached_at } = presence;
        const key: SessionKey = { client_id, instance_id, connect_seq, node_id, incarnation };
        attached.push({ ...key, attachedAtMs: Date.parse(attached_at), seenAtMs: deps.now() });
      } else if (row !== undefined) {
        // An owner's order follows the clock: without a presence it is when the last one ended.
        const detachedAtMs = presence === null ? Math.min(order, deps.now()) : Date.parse(presence.attached_at);
        detached.push({ ...row, detachedAtMs });
      }
    }),
  );
  await deps.attachments.recordAttached(attached);
  await deps.attachments.recordDetached(detached);
}
