import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { AttachRequest } from '@tunnox/domain/relay-api';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { type AttachmentDeps, AttachmentService } from './attachment-service.ts';
import { LEDGER_WAIT_MS, type LedgerEntry, type LedgerShare } from './ledger-ports.ts';

const RELAY = { nodeId: 'node-001', incarnation: '01ARZ3NDEKTSV4RRFFQ69G5FAV', fingerprint: null };
const LIMITS = { total_bandwidth_bytes_per_s: 1000, max_active_mappings: 1 };
const USER = 100_000_001;

function policyOf(clientId: number, userId: number | null = USER): ClientPolicy {
  return {
    client_id: clientId,
    user_id: userId,
    generation: 1,
    config_version: 1,
    limits: {
      max_connections_per_mapping: null,
      bandwidth_bytes_per_s: 1000,
      traffic_remaining_bytes: null,
      ledger: { version: 0, ...LIMITS, waiting_bindings: [] },
    },
    bindings: [],
  };
}

function shareOf({ client_id }: LedgerEntry): LedgerShare {
  return { client_id, version: 7, limits: LIMITS, bandwidth_bytes_per_s: 500, waiting_bindings: ['mapping:1'] };
}

/** A service whose only living part is what the test gives. */
function bench(admit: AttachmentDeps['ledgers']['admit']) {
  const asked: [number, number[]][] = [];
  const said: string[] = [];
  const work: Promise<unknown>[] = [];
  const standing = (clientId: number) => ({
    ...{ clientId, userId: USER, namespaceId: null, type: 'managed' as const, name: '', state: 'active' as const },
    ...{ generation: 1, configVersion: 1, upgradedTo: null, authCodeHash: '', suspended: null },
  });
  const deps = {
    policies: {
      loadStandings: async (ids: number[]) => new Map(ids.map((id) => [id, standing(id)])),
      loadPolicies: async (ids: number[]) =>
        new Map(ids.map((id) => [id, policyOf(id, id < 600_000_000 ? null : USER)])),
    },
    presences: {
      attach: async () => ({ kind: 'accepted', policy: null, order: 5, attachedAtMs: 1, seenAtMs: 1 }),
      remember: async ({ client_id, limits }: ClientPolicy) => {
        said.push(`remember ${client_id} ${limits.ledger?.version}`);
      },
      takeShare: async ({ client_id, version }: LedgerShare) => {
        said.push(`share ${client_id} ${version}`);
        return true;
      },
      push: async ({ client_id }: ClientPolicy) => {
        said.push(`push ${client_id}`);
        return { state: 'pending', problems: [] };
      },
    },
    nodes: { noteClients: async () => undefined },
    clients: { recordAttached: async () => undefined },
    ledgers: {
      admit: (userId: number, entries: LedgerEntry[]) => {
        asked.push([userId, entries.map(({ client_id }) => client_id)]);
        return admit(userId, entries);
      },
    },
    later: (one: Promise<unknown>) => void work.push(one),
  };
  const service = new AttachmentService(deps as unknown as AttachmentDeps);
  const attach = async (...clientIds: number[]): Promise<ClientPolicy[]> => {
    const clients = clientIds.map((client_id) => ({
      ...{ client_id, instance_id: '01ARZ3NDEKTSV4RRFFQ69G5FAW', connect_seq: 1, generation: 1 },
      mode: 'attach' as const,
    }));
    const { results } = await service.attach(RELAY, { clients } satisfies AttachRequest);
    return results.map((result) => {
      assert.ok(result.outcome === 'accepted');
      return result.policy;
    });
  };
  return { attach, asked, said, done: () => Promise.all(work) };
}

test('AttachmentService.attach() asks each user’s ledger once, and answers with its word', async () => {
  const { attach, asked, said, done } = bench(async (_userId, entries) => entries.map(shareOf));
  const [first, second, anonymous] = await attach(600_000_000, 600_000_001, 200_000_000);
  await done();
  assert.deepEqual(asked, [[USER, [600_000_000, 600_000_001]]]);
  for (const policy of [first, second]) {
    assert.equal(policy?.limits.bandwidth_bytes_per_s, 500);
    assert.deepEqual(policy?.limits.ledger, { version: 7, ...LIMITS, waiting_bindings: ['mapping:1'] });
  }
  assert.equal(anonymous?.limits.bandwidth_bytes_per_s, 1000);
  assert.deepEqual(said.toSorted(), ['remember 200000000 0', 'remember 600000000 7', 'remember 600000001 7']);
});

test('AttachmentService.attach() lets agents in while the ledger is away, and tells it of them afterwards', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const away = new TunnoxError('unavailable', 'A part of the control plane is being restarted');
  const { attach, said, done } = bench(() => Promise.reject(away));
  const [policy] = await attach(600_000_000);
  assert.deepEqual(policy?.limits, policyOf(600_000_000).limits);
  t.mock.timers.runAll();
  await done();
  assert.deepEqual(said.toSorted(), ['push 600000000', 'remember 600000000 0']);
});

test('AttachmentService.attach() waits for a slow ledger for its time only, and takes what comes later', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const answer = Promise.withResolvers<LedgerShare[]>();
  let isAsked = (): void => {};
  const asked = new Promise<void>((resolve) => (isAsked = resolve));
  let entries: LedgerEntry[] = [];
  const { attach, said, done } = bench((_userId, given) => {
    entries = given;
    isAsked();
    return answer.promise;
  });
  const attached = attach(600_000_000);
  await asked;
  t.mock.timers.tick(LEDGER_WAIT_MS);
  assert.equal((await attached)[0]?.limits.ledger?.version, 0);
  answer.resolve(entries.map(shareOf));
  await done();
  assert.deepEqual(said.toSorted(), ['remember 600000000 0', 'share 600000000 7']);
});
