import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { NodeMessage } from '@tunnox/domain/relay-api';
import fc from 'fast-check';
import { MessageQueue, type UnsentMessage } from './message-queue.ts';

/** A Durable Object's SQL storage on a plain SQLite, as far as the queue needs it. */
function openStorage(): SqlStorage {
  const database = new DatabaseSync(':memory:');
  const exec = (text: string, ...values: (string | number)[]) => {
    const statements = text.split(';').filter((statement) => statement.trim() !== '');
    const rows = statements.flatMap((statement) => database.prepare(statement).all(...values));
    return { toArray: () => rows, one: () => rows[0], [Symbol.iterator]: () => rows[Symbol.iterator]() };
  };
  return { exec } as unknown as SqlStorage;
}

function makeQueue(messagesMax = 1000): MessageQueue {
  return new MessageQueue(openStorage(), { messagesMax });
}

const policy = (client_id: number, config_version = 1): UnsentMessage => ({
  type: 'policy',
  policy: { client_id, config_version } as ClientPolicy,
});
const close = (client_id: number): UnsentMessage => ({
  ...{ type: 'close_client', client_id, instance_id: null, connect_seq: null, code: 'disconnected', message: '' },
});
const peers: UnsentMessage = { type: 'peers', peers: [] };

const read = (messages: string[]) =>
  messages.map((text) => JSON.parse(text) as Exclude<NodeMessage, { type: 'resync' }>);
const seqs = (queue: MessageQueue, lastSeq: number) =>
  read(queue.replay(lastSeq).messages).map((message) => message.seq);

test('MessageQueue numbers messages from 1 and keeps them until they are acknowledged', () => {
  const queue = makeQueue();
  assert.deepEqual(JSON.parse(queue.add(close(1))), { ...close(1), seq: 1 });
  queue.add(close(2));
  queue.add(close(3));
  queue.acknowledge(2);
  assert.deepEqual(seqs(queue, 0), [1, 3]);
});

test('MessageQueue.replay() takes the last handled number for an acknowledgement of all before', () => {
  const queue = makeQueue();
  for (let client = 1; client <= 4; client += 1) queue.add(close(client));
  assert.deepEqual(seqs(queue, 2), [3, 4]);
  assert.deepEqual(seqs(queue, 0), [3, 4]);
});

test('MessageQueue keeps of each topic the newest message only', () => {
  const queue = makeQueue();
  queue.add(policy(1, 1));
  queue.add(policy(2, 1));
  queue.add(peers);
  queue.add(policy(1, 2));
  queue.add(peers);
  assert.deepEqual(seqs(queue, 0), [2, 4, 5]);
});

test('MessageQueue gives up what a resync brings when too much waits, and keeps the rest', () => {
  const queue = makeQueue(5);
  queue.add(peers);
  for (let client = 1; client <= 5; client += 1) queue.add(policy(client));
  const late = queue.replay(0);
  assert.equal(late.resync, true);
  assert.deepEqual(
    read(late.messages).map((message) => message.type),
    ['peers'],
  );
  queue.add(close(9));
  assert.deepEqual([queue.replay(6).resync, seqs(queue, 6)], [false, [7]], 'who has seen all of it loses nothing');
});

test('MessageQueue goes on behind the numbers of a relay that knows later ones', () => {
  const queue = makeQueue();
  queue.add(close(1));
  assert.deepEqual(queue.replay(70), { resync: true, messages: [] });
  assert.equal((JSON.parse(queue.add(close(2))) as { seq: number }).seq, 71);
});

test('MessageQueue.reset() begins anew', () => {
  const queue = makeQueue(2);
  for (let client = 1; client <= 5; client += 1) queue.add(close(client));
  queue.reset();
  assert.deepEqual(queue.replay(0), { resync: false, messages: [] });
  assert.equal((JSON.parse(queue.add(peers)) as { seq: number }).seq, 1);
});

test('MessageQueue loses no message without a resync, whatever is added, lost and acknowledged', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('send' as const),
      message: fc.constantFrom(close(1), close(2), policy(1), policy(2), peers),
    }),
    fc.record({ kind: fc.constant('lose' as const), message: fc.constantFrom(close(3), policy(1), policy(3), peers) }),
    fc.record({ kind: fc.constant('reconnect' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = makeQueue(6);
      const seen = new Set<string>();
      let lastSeq = 0;
      const receive = (text: string) => {
        const message = JSON.parse(text) as { seq: number };
        seen.add(text);
        lastSeq = Math.max(lastSeq, message.seq);
      };
      /** The newest of each topic that was said since the last resync, and every order to close. */
      let said = new Map<string, string>();
      let connected = true;
      for (const one of steps) {
        if (one.kind === 'reconnect') {
          connected = true;
          const replay = queue.replay(lastSeq);
          replay.messages.forEach(receive);
          if (replay.resync) said = new Map();
          for (const text of said.values()) assert.ok(seen.has(text));
          continue;
        }
        // A session that has lost one message is broken: what follows does not arrive either.
        connected &&= one.kind === 'send';
        const text = queue.add(one.message);
        const topic = one.message.type === 'policy' ? `policy:${one.message.policy.client_id}` : one.message.type;
        said.set(topic === 'close_client' ? text : topic, text);
        if (connected) receive(text);
      }
    }),
  );
});
