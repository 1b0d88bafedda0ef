import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttachedSession, DetachedSession } from './live-ports.ts';
import { clientSum, healSessions } from './heal-sessions.ts';

const NOW = 1_000_000_000_000;
const RUN = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const INSTANCE = '01ARZ3NDEKTSV4RRFFQ69G5FAA';

const key = (client_id: number) => ({
  ...{ client_id, instance_id: INSTANCE, connect_seq: 1, node_id: 'node-001', incarnation: RUN },
});

/**
 * A relay with notes, open sessions and owners' words.
 *
 * @param away Clients that their owners say are away, with when they ended.
 */
function bench(noted: number[], open: number[], away: Map<number, number> = new Map(), elsewhere: number[] = []) {
  const attached: AttachedSession[] = [];
  const detached: DetachedSession[] = [];
  const asked: number[] = [];
  const dead = [1000, 1000, 4];
  let read = 0;
  const deps = {
    sessions: {
      endDead: async () => dead.shift() ?? assert.fail('asked once more than needed'),
      runsToCheck: async () => [{ node_id: 'node-001', incarnation: RUN, clients: clientSum(open) }],
      openOf: async () => {
        read += 1;
        return open.map((id) => ({ ...key(id), attachedAtMs: NOW - 9000 }));
      },
    },
    attachments: {
      recordAttached: async (sessions: readonly AttachedSession[]) => void attached.push(...sessions),
      recordDetached: async (sessions: readonly DetachedSession[]) => void detached.push(...sessions),
    },
    nodes: { notedClients: async () => noted },
    presences: {
      locate: async (client_id: number) => {
        asked.push(client_id);
        const order = away.get(client_id) ?? NOW - 5000;
        if (away.has(client_id)) return { generation: 1, order, presence: null };
        const node_id = elsewhere.includes(client_id) ? 'node-002' : 'node-001';
        const attached_at = new Date(order).toISOString();
        return { generation: 1, order, presence: { ...key(client_id), node_id, generation: 1, attached_at } };
      },
    },
    now: () => NOW,
  };
  return { deps, attached, detached, asked, reads: () => read };
}

test('healSessions() asks nobody when those that are noted have their sessions', async () => {
  const { deps, asked, reads } = bench([1, 2, 3], [3, 2, 1]);
  await healSessions(deps);
  assert.deepEqual([asked, reads()], [[], 0]);
});

test('healSessions() writes what was missed: who came, who left and when, who went elsewhere', async () => {
  const { deps, attached, detached, asked } = bench([1, 2], [2, 3, 4], new Map([[3, NOW - 7000]]), [4]);
  await healSessions(deps);
  assert.deepEqual(asked.toSorted(), [1, 3, 4]);
  assert.deepEqual(attached, [{ ...key(1), attachedAtMs: NOW - 5000, seenAtMs: NOW }]);
  const since = { attachedAtMs: NOW - 9000 };
  assert.deepEqual(detached, [
    { ...key(3), ...since, detachedAtMs: NOW - 7000 },
    { ...key(4), ...since, detachedAtMs: NOW - 5000 },
  ]);
});

test('healSessions() finds them also where as many came as left', async () => {
  const { deps, attached, detached } = bench([1, 2], [2, 3], new Map([[3, NOW + 60_000]]));
  await healSessions(deps);
  assert.deepEqual([attached.length, detached.length], [1, 1]);
  // An owner's order may be ahead of the clock; a session does not end in the future.
  assert.equal(detached[0]?.detachedAtMs, NOW);
});

test('healSessions() asks a bounded number of owners', async () => {
  const noted = Array.from({ length: 2000 }, (_, index) => index + 1);
  const { deps, asked } = bench(noted, []);
  await healSessions(deps);
  assert.equal(asked.length, 500);
});
