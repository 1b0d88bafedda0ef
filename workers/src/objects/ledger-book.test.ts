import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LedgerEntry, LedgerLimits } from '../services/ledger-ports.ts';
import { EMPTY_HEAD, LedgerBook, PLACE_KEPT_MS } from './ledger-book.ts';

const START_MS = Date.UTC(2026, 0, 1);

function entry(clientId: number, change: Partial<LedgerEntry> = {}, limits: Partial<LedgerLimits> = {}): LedgerEntry {
  return {
    client_id: clientId,
    node_id: 'node-001',
    incarnation: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    order: 1,
    config_version: 1,
    limits: { total_bandwidth_bytes_per_s: 1000, max_active_mappings: 2, ...limits },
    bindings: [`mapping:${clientId}`],
    ...change,
  };
}

function open(): LedgerBook {
  return new LedgerBook(EMPTY_HEAD, []);
}

/** As an object that was put away and is woken. */
function woken(book: LedgerBook): LedgerBook {
  const stored: unknown = JSON.parse(JSON.stringify([book.head, [...book.clients.values()]]));
  return new LedgerBook(...(stored as [typeof book.head, []]));
}

function tellAll(book: LedgerBook): void {
  for (let rest = book.untold(); rest.length > 0; rest = book.untold()) {
    for (const { clientId } of rest) book.told(clientId, book.head.version);
  }
}

test('LedgerBook gives places to those who came first, and to the next when one becomes free', () => {
  const book = open();
  for (const clientId of [1, 2, 3, 4]) book.admit([entry(clientId)], START_MS);
  assert.deepEqual(book.waiting, ['mapping:3', 'mapping:4']);
  assert.deepEqual(book.shareOf(3)?.waiting_bindings, ['mapping:3']);
  tellAll(book);
  // Switched off: its place is free at once.
  book.admit([entry(1, { config_version: 2, bindings: [] })], START_MS + 1);
  assert.deepEqual(book.waiting, ['mapping:4']);
  assert.deepEqual(
    book.untold().map(({ clientId }) => clientId),
    [3],
  );
  // Back again: at the end.
  book.admit([entry(1, { config_version: 3 })], START_MS + 2);
  assert.deepEqual(book.waiting, ['mapping:4', 'mapping:1']);
});

test('LedgerBook keeps the places of an agent that is gone for a moment, and only for that', () => {
  const book = open();
  for (const clientId of [1, 2, 3]) book.admit([entry(clientId)], START_MS);
  book.leave(1, 2, START_MS + 10);
  assert.deepEqual(book.waiting, ['mapping:3']);
  assert.equal(book.nextForgottenAtMs(), START_MS + 10 + PLACE_KEPT_MS);
  book.admit([entry(1, { order: 3, node_id: 'node-002' })], START_MS + 500);
  assert.deepEqual(book.waiting, ['mapping:3']);
  book.leave(1, 4, START_MS + 1000);
  book.settle(START_MS + 999 + PLACE_KEPT_MS);
  assert.deepEqual(book.waiting, ['mapping:3']);
  book.settle(START_MS + 1000 + PLACE_KEPT_MS);
  assert.deepEqual(book.waiting, []);
  assert.equal(book.clients.has(1), false);
  // Nobody waits: there is no hurry to forget. When the last has gone, there is nobody else who would.
  book.leave(2, 2, START_MS + 5000);
  assert.equal(book.nextForgottenAtMs(), null);
  book.leave(3, 2, START_MS + 6000);
  assert.equal(book.nextForgottenAtMs(), START_MS + 5000 + PLACE_KEPT_MS);
  book.settle(START_MS + 6000 + PLACE_KEPT_MS);
  assert.equal(book.empty, true);
});

test('LedgerBook passes over what is late', () => {
  const book = open();
  book.admit([entry(1, { order: 5, node_id: 'node-002', config_version: 7 })], START_MS);
  book.admit([entry(1, { order: 4 })], START_MS);
  book.leave(1, 4, START_MS);
  assert.deepEqual([book.clients.get(1)?.nodeId, book.clients.get(1)?.leftAtMs], ['node-002', null]);
  // An older read of Postgres: limits and bindings stay, the place is taken.
  const old = entry(1, { order: 6, config_version: 6, bindings: [] }, { max_active_mappings: 9 });
  book.admit([old], START_MS);
  assert.deepEqual(book.clients.get(1)?.bindings, ['mapping:1']);
  assert.equal(book.head.limits.max_active_mappings, 2);
  book.leave(1, 7, START_MS);
  book.admit([entry(1, { order: 6, config_version: 7 })], START_MS);
  assert.equal(book.shareOf(1), null);
});

test('LedgerBook counts a binding of several clients once, as long as one of them is here', () => {
  const book = open();
  const both = { bindings: ['domain:7'] };
  book.admit([entry(1, both), entry(2, both), entry(3), entry(4)], START_MS);
  assert.deepEqual(book.waiting, ['mapping:4']);
  book.absent(1, 1, START_MS);
  assert.deepEqual(book.waiting, ['mapping:4']);
  book.absent(2, 1, START_MS);
  assert.deepEqual(book.waiting, []);
});

test('LedgerBook shares bandwidth out by node, tells one client of each, and shrinks before it grows', () => {
  const book = open();
  book.admit([entry(1), entry(2)], START_MS);
  tellAll(book);
  assert.equal(book.shareOf(1)?.bandwidth_bytes_per_s, 1000);
  book.admit([entry(3, { node_id: 'node-002' })], START_MS);
  assert.deepEqual(
    [1, 2, 3].map((id) => book.shareOf(id)?.bandwidth_bytes_per_s),
    [500, 500, 500],
  );
  tellAll(book);
  book.used('node-001', 500, START_MS);
  book.used('node-002', 100, START_MS);
  const toTell = book.untold();
  assert.deepEqual(toTell, [
    { clientId: 1, first: false },
    { clientId: 3, first: true },
  ]);
  // A little more or less is not worth a word.
  tellAll(book);
  const { version } = book.head;
  book.used('node-002', 105, START_MS);
  assert.equal(book.head.version, version);
  // Who is alone has all of it.
  book.absent(3, 1, START_MS);
  assert.equal(book.shareOf(1)?.bandwidth_bytes_per_s, 1000);
});

test('LedgerBook takes new limits from whoever brings them, and nothing of the old ones counts', () => {
  const book = open();
  book.admit([entry(1), entry(2), entry(3, { node_id: 'node-002' })], START_MS);
  tellAll(book);
  const { version } = book.head;
  const limits = { total_bandwidth_bytes_per_s: 4000, max_active_mappings: 3 };
  book.admit([entry(2, { config_version: 2 }, limits)], START_MS);
  assert.ok(book.head.version > version);
  assert.deepEqual(book.waiting, []);
  assert.equal(book.shareOf(3)?.bandwidth_bytes_per_s, 2000);
  assert.deepEqual(book.shareOf(3)?.limits, limits);
  const none = { total_bandwidth_bytes_per_s: null, max_active_mappings: null };
  book.admit([entry(1, { config_version: 2 }, none)], START_MS);
  assert.deepEqual(book.shareOf(1)?.waiting_bindings, []);
  assert.equal(book.shareOf(1)?.bandwidth_bytes_per_s, null);
});

test('LedgerBook holds its promises whatever happens, in any order, twice, and over restarts', () => {
  const clientIds = fc.integer({ min: 1, max: 6 });
  const nodes = fc.constantFrom('node-001', 'node-002', 'node-003');
  const step = fc.oneof(
    fc.record({
      do: fc.constant('admit' as const),
      clientId: clientIds,
      order: fc.nat(20),
      node: nodes,
      config: fc.nat(5),
      bindings: fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { maxLength: 4 }),
    }),
    fc.record({ do: fc.constant('leave' as const), clientId: clientIds, order: fc.nat(20) }),
    fc.record({ do: fc.constant('absent' as const), clientId: clientIds }),
    fc.record({ do: fc.constant('used' as const), node: nodes, use: fc.nat(100_000) }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.nat(10_000) }),
    fc.record({ do: fc.constant('tell' as const) }),
    fc.record({ do: fc.constant('wake' as const) }),
  );
  const limits = fc.record({
    total_bandwidth_bytes_per_s: fc.option(fc.integer({ min: 3, max: 1_000_000 })),
    max_active_mappings: fc.option(fc.nat(4)),
  });
  fc.assert(
    fc.property(limits, fc.array(step, { maxLength: 60 }), (limit, steps) => {
      let book = open();
      let nowMs = START_MS;
      for (const one of steps) {
        const active = new Set(Object.keys(book.head.seats).filter((binding) => !book.waiting.includes(binding)));
        switch (one.do) {
          case 'admit': {
            const bindings = one.bindings.map((id) => `mapping:${id}`);
            const { order, node, config } = one;
            const told = entry(one.clientId, { order, node_id: node, config_version: config, bindings }, limit);
            book.admit([told], nowMs);
            const { version } = book.head;
            book.admit([told], nowMs);
            assert.equal(book.head.version, version, 'twice is as good as once');
            break;
          }
          case 'leave':
            book.leave(one.clientId, one.order, nowMs);
            break;
          case 'absent':
            book.absent(one.clientId, book.clients.get(one.clientId)?.order ?? 0, nowMs);
            break;
          case 'used':
            book.used(one.node, one.use, nowMs);
            break;
          case 'pass':
            nowMs += one.ms;
            book.settle(nowMs);
            break;
          case 'tell':
            tellAll(book);
            break;
          case 'wake':
            book = woken(book);
        }
        const { seats, shares, toldShares, version } = book.head;
        const max = limit.max_active_mappings;
        const held = Object.keys(seats).length;
        assert.equal(book.waiting.length, max === null ? 0 : Math.max(0, held - max));
        for (const binding of book.waiting) assert.ok(!active.has(binding), 'nobody loses a place to another');
        const total = Object.values(shares).reduce((sum, share) => sum + share, 0);
        assert.ok(total <= (limit.total_bandwidth_bytes_per_s ?? 0));
        for (const share of Object.values(shares)) assert.ok(share >= 1);
        assert.deepEqual(
          new Set(Object.keys(shares)),
          limit.total_bandwidth_bytes_per_s === null ? new Set() : book.nodes,
        );
        for (const [node, share] of Object.entries(toldShares)) assert.ok(shares[node] !== undefined && share > 0);
        book.settle(nowMs);
        assert.equal(book.head.version, version, 'the same state gives the same decision');
      }
      tellAll(book);
      for (const { clientId, toldWaiting, leftAtMs } of book.clients.values()) {
        if (leftAtMs === null) assert.deepEqual(book.shareOf(clientId)?.waiting_bindings, toldWaiting);
      }
    }),
    { numRuns: 300 },
  );
});
