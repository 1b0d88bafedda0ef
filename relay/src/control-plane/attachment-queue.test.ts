import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { AttachAnswer, AttachRequest, DetachRequest } from '@tunnox/domain/relay-api';
import { createLogger } from '@tunnox/observability/logger';
import { FakeClock } from '@tunnox/testing/fake-clock';
import fc from 'fast-check';
import type { AttachedClient } from '../session/ports.ts';
import { AttachmentQueue } from './attachment-queue.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const ULIDS = ['01ARZ3NDEKTSV4RRFFQ69G5FAV', '01ARZ3NDEKTSV4RRFFQ69G5FAW'];
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function client(id: number, connectSeq = 1, instance = 0): AttachedClient {
  return { client_id: id, instance_id: ULIDS[instance] ?? '', connect_seq: connectSeq, generation: 1 };
}

function policyOf(clientId: number): ClientPolicy {
  const limits = { max_connections_per_mapping: null, bandwidth_bytes_per_s: null, traffic_remaining_bytes: null };
  return { client_id: clientId, user_id: null, generation: 1, config_version: 1, limits, bindings: [] };
}

/** The owner's view of who is attached, by the attach rule; away when told so. */
class FakeOwner {
  away = false;
  /** The next calls are applied, and their answers lost. */
  deaf = false;
  readonly batches: string[] = [];
  /** Every connection that was attached, as `client/connect_seq`. */
  readonly attached: string[] = [];
  readonly present = new Map<number, string>();
  refuse = new Set<number>();

  async attach({ clients }: AttachRequest): Promise<AttachAnswer> {
    await turn();
    if (this.away) throw new Error('away');
    this.batches.push(`attach ${clients.length}`);
    const results = clients.map(({ client_id, instance_id, connect_seq, mode }) => {
      if (this.refuse.has(client_id)) {
        return { client_id, outcome: 'refused' as const, code: 'disabled' as const, message: 'off' };
      }
      const [heldInstance, heldSeq] = this.present.get(client_id)?.split('/') ?? [];
      if (mode === 'attach') this.attached.push(`${client_id}/${connect_seq}`);
      const older = heldInstance === instance_id && Number(heldSeq) > connect_seq;
      if (!older && (mode === 'attach' || heldInstance === undefined || heldInstance === instance_id)) {
        this.present.set(client_id, `${instance_id}/${connect_seq}`);
      }
      return { client_id, outcome: 'accepted' as const, policy: policyOf(client_id) };
    });
    if (this.deaf) throw new Error('lost');
    return { results };
  }

  async detach({ clients }: DetachRequest): Promise<void> {
    await turn();
    if (this.away) throw new Error('away');
    this.batches.push(`detach ${clients.length}`);
    for (const { client_id, instance_id, connect_seq } of clients) {
      if (this.present.get(client_id) === `${instance_id}/${connect_seq}`) this.present.delete(client_id);
    }
    if (this.deaf) throw new Error('lost');
  }
}

function bench() {
  const clock = new FakeClock();
  const owner = new FakeOwner();
  const policies: number[] = [];
  const applied: number[] = [];
  const closed: string[] = [];
  const queue = new AttachmentQueue({
    api: owner,
    sessions: {
      applyPolicy: (policy) => void applied.push(policy.client_id),
      closeClient: (order) => void closed.push(`${order.client_id}/${order.connect_seq} ${order.code}`),
    },
    onPolicy: (policy) => void policies.push(policy.client_id),
    clock,
    random: () => 0.5,
    log,
  });
  /** Lets time pass until all was said. */
  const settle = async (): Promise<void> => {
    while (queue.size > 0) {
      clock.advance(1000);
      await turn();
    }
  };
  return { clock, owner, queue, policies, applied, closed, settle };
}

test('AttachmentQueue sends attaches of one turn together, 100 at a time', async () => {
  const { queue, owner, policies, applied } = bench();
  const outcomes = await Promise.all(Array.from({ length: 250 }, (_, n) => queue.attach(client(n))));
  assert.deepEqual(owner.batches, ['attach 100', 'attach 100', 'attach 50']);
  assert.ok(outcomes.every(({ kind }) => kind === 'accepted'));
  assert.equal(policies.length, 250);
  assert.deepEqual(applied, []);
});

test('AttachmentQueue tells a refusal to who waits, and closes the session of who waits no more', async () => {
  const { queue, owner, closed, settle } = bench();
  owner.refuse.add(1);
  assert.deepEqual(await queue.attach(client(1)), { kind: 'refused', code: 'disabled', message: 'off' });
  assert.deepEqual(closed, []);
  owner.away = true;
  assert.deepEqual(await queue.attach(client(1, 2)), { kind: 'unreachable' });
  owner.away = false;
  await settle();
  assert.deepEqual(closed, ['1/2 disabled']);
});

test('AttachmentQueue answers at once while the control plane is away, and says everything when it is back', async () => {
  const { queue, owner, applied, settle } = bench();
  owner.away = true;
  assert.equal((await queue.attach(client(1))).kind, 'unreachable');
  const outcomes = await Promise.all([queue.attach(client(2)), queue.attach(client(3))]);
  assert.ok(outcomes.every(({ kind }) => kind === 'unreachable'));
  queue.detach(client(3));
  owner.away = false;
  await settle();
  assert.deepEqual([...owner.present.keys()].toSorted(), [1, 2]);
  assert.deepEqual(applied.toSorted(), [1, 2]);
});

test('AttachmentQueue.announce() outbids nobody', async () => {
  const { queue, owner, settle } = bench();
  owner.present.set(1, `${ULIDS[1]}/1`);
  queue.announce([client(1), client(2)]);
  await settle();
  assert.equal(owner.present.get(1), `${ULIDS[1]}/1`);
  assert.equal(owner.present.get(2), `${ULIDS[0]}/1`);
});

test('AttachmentQueue never attaches a connection that has left, which could outbid one elsewhere', async () => {
  const { queue, owner, settle } = bench();
  await queue.attach(client(1, 1));
  owner.away = true;
  await queue.attach(client(2, 5));
  void queue.attach(client(1, 2));
  queue.detach(client(1, 2));
  void queue.attach(client(3, 1));
  queue.detach(client(3, 1));
  owner.away = false;
  await settle();
  assert.deepEqual(owner.attached, ['1/1', '2/5']);
  assert.deepEqual([...owner.present.keys()], [2]);
});

test('AttachmentQueue.flushed() resolves when everything was said', async () => {
  const { queue, owner } = bench();
  void queue.attach(client(1));
  queue.detach(client(1));
  await queue.flushed(new AbortController().signal);
  assert.equal(queue.size, 0);
  assert.equal(owner.present.size, 0);
});

test('AttachmentQueue leaves the owner with the last word about each client, whatever is lost on the way', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('attach' as const), id: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constant('leave' as const), id: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constantFrom('away' as const, 'back' as const, 'deaf' as const, 'turn' as const) }),
    fc.record({ do: fc.constant('resync' as const) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 5000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
      const { queue, owner, clock, settle } = bench();
      const here = new Map<number, AttachedClient>();
      let seq = 0;
      for (const one of steps) {
        if (one.do === 'attach') {
          const next = client(one.id, ++seq);
          here.set(one.id, next);
          void queue.attach(next);
        } else if (one.do === 'leave') {
          const gone = here.get(one.id);
          if (gone === undefined) continue;
          here.delete(one.id);
          queue.detach(gone);
        } else if (one.do === 'away') owner.away = true;
        else if (one.do === 'back') [owner.away, owner.deaf] = [false, false];
        else if (one.do === 'deaf') owner.deaf = true;
        else if (one.do === 'resync') queue.announce([...here.values()]);
        else if (one.do === 'wait') clock.advance(one.ms);
        else await turn();
      }
      [owner.away, owner.deaf] = [false, false];
      await settle();
      const expected = [...here.values()].map(({ client_id, instance_id, connect_seq }) => [
        client_id,
        `${instance_id}/${connect_seq}`,
      ]);
      assert.deepEqual([...owner.present].toSorted(), expected.toSorted());
    }),
    { numRuns: 300 },
  );
});

test('AttachmentQueue says nothing more of a connection that the control plane has ended itself', async () => {
  const { queue, owner, settle } = bench();
  await queue.attach(client(1));
  const batches = owner.batches.length;
  queue.ended({ client_id: 1, instance_id: ULIDS[0] ?? '', connect_seq: 1 });
  void queue.attach(client(1, 2));
  queue.detach(client(1, 2));
  await settle();
  assert.equal(owner.batches.length, batches);
});

test('AttachmentQueue.ended() spares later connects and other instances', async () => {
  const { queue, owner, settle } = bench();
  await queue.attach(client(1, 2));
  queue.ended({ client_id: 1, instance_id: ULIDS[0] ?? '', connect_seq: 1 });
  queue.ended({ client_id: 1, instance_id: ULIDS[1] ?? '', connect_seq: 9 });
  void queue.attach(client(1, 3));
  queue.detach(client(1, 3));
  await settle();
  assert.deepEqual(owner.batches, ['attach 1', 'detach 1']);
  assert.equal(owner.present.size, 0);
});
