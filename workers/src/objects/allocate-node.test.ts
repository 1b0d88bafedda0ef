import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NODE_NUMBER_MAX, nodeIdOf } from '@tunnox/domain/ids';
import type { NodeSeat } from '../services/live-ports.ts';
import { allocateNode, SEAT_KEPT_MS } from './allocate-node.ts';

const NOW = 1_800_000_000_000;
const seat = (number: number, gone_since: number | null = null): NodeSeat => ({
  node_id: nodeIdOf(number),
  fingerprint: `key-${number}`,
  relay_group: 'default',
  gone_since,
});
const full = (goneSince: (number: number) => number | null) =>
  Array.from({ length: NODE_NUMBER_MAX }, (_, index) => seat(index + 1, goneSince(index + 1)));

test('allocateNode() gives the first key node-001 and the next free numbers in turn', () => {
  assert.deepEqual(allocateNode([], 'new', NOW), { kind: 'new', node_id: 'node-001', freed: null });
  assert.deepEqual(allocateNode([seat(1), seat(3)], 'new', NOW), { kind: 'new', node_id: 'node-002', freed: null });
});

test('allocateNode() gives a key its own id again, however long it was gone', () => {
  assert.deepEqual(allocateNode([seat(1), seat(7, 0)], 'key-7', NOW), { kind: 'held', node_id: 'node-007' });
});

test('allocateNode() frees nobody while a number is free', () => {
  const seats = full((number) => (number < 999 ? 0 : null)).slice(0, 999);
  assert.deepEqual(allocateNode(seats, 'new', NOW), { kind: 'new', node_id: 'node-1000', freed: null });
});

test('allocateNode() frees the node that has been gone longest, after a day', () => {
  const seats = full((number) => (number === 5 ? NOW - SEAT_KEPT_MS : number === 9 ? NOW - SEAT_KEPT_MS - 1 : NOW));
  assert.deepEqual(allocateNode(seats, 'new', NOW), { kind: 'new', node_id: 'node-009', freed: seats[8] });
});

test('allocateNode() is exhausted when every node is here or was a day ago', () => {
  assert.deepEqual(
    allocateNode(
      full(() => null),
      'new',
      NOW,
    ),
    { kind: 'exhausted' },
  );
  assert.deepEqual(
    allocateNode(
      full(() => NOW - SEAT_KEPT_MS + 1),
      'new',
      NOW,
    ),
    { kind: 'exhausted' },
  );
});
