import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_GUARD, guardPlan, planText } from './guard.ts';
import { type ActualRecord, type DesiredRecord, makePlan } from './plan.ts';
import { applyPolicy } from './policy.ts';

const zone = (count: number, exempt = false): { rows: DesiredRecord[]; actual: ActualRecord[] } => {
  const rows = Array.from({ length: count }, (_, index): DesiredRecord => ({
    ...{ id: index + 1, type: 'A', name: `n${index}.example.com`, value: '203.0.113.1', ttl: 300, proxied: null },
    ...{ state: 'present', providerRecordId: `p${index}`, exempt },
  }));
  const actual = rows.map(({ name, value, ttl }, index): ActualRecord => ({
    ...{ id: `p${index}`, type: 'A', name, value, ttl, proxied: null, owned: true },
  }));
  return { rows, actual };
};
const verdict = (rows: DesiredRecord[], actual: ActualRecord[]) =>
  guardPlan(makePlan(rows, actual, { adoptIdentical: false }), actual, DEFAULT_GUARD);
const absent = (rows: DesiredRecord[], count: number): DesiredRecord[] =>
  rows.map((row, index) => (index < count ? { ...row, state: 'absent' as const } : row));

test('guardPlan() lets ten changes pass in any zone, and a third of a large one not', () => {
  const { rows, actual } = zone(100);
  assert.deepEqual(verdict(absent(rows, 30), actual), { refused: false, touched: 30, owned: 100 });
  assert.deepEqual(verdict(absent(rows, 31), actual), { refused: true, touched: 31, owned: 100 });
  const small = zone(10);
  assert.equal(verdict(absent(small.rows, 10), small.actual).refused, false);
  const eleven = zone(11);
  assert.equal(verdict(absent(eleven.rows, 11), eleven.actual).refused, true);
});

test('guardPlan() counts orphans: lost rows must not empty a zone', () => {
  const { actual } = zone(50);
  assert.deepEqual(verdict([], actual), { refused: true, touched: 50, owned: 50 });
});

test('guardPlan() counts neither creates nor records that follow relays', () => {
  const { rows, actual } = zone(100);
  assert.equal(verdict(rows, []).refused, false);
  const relays = zone(100, true);
  assert.deepEqual(verdict(absent(relays.rows, 90), relays.actual), { refused: false, touched: 0, owned: 0 });
  assert.equal(actual.length, 100);
});

test('planText() names what would be done, and only that', () => {
  const { rows, actual } = zone(3);
  const plan = (wish: DesiredRecord[]) => planText(makePlan(wish, actual, { adoptIdentical: false }));
  assert.equal(plan(rows), '');
  assert.equal(plan(absent(rows, 1)), 'delete p0 n0.example.com A 203.0.113.1 300 ');
  assert.notEqual(plan(absent(rows, 1)), plan(absent(rows, 2)));
});

test('applyPolicy() holds back what the policy forbids', () => {
  const { rows, actual } = zone(2);
  const plan = makePlan([...absent(rows, 1), { ...rows[0]!, id: 9, name: 'new.example.com' }], actual, {
    adoptIdentical: false,
  });
  const kinds = (policy: 'sync' | 'upsert_only' | 'dry_run') => {
    const { allowed, held } = applyPolicy(plan, policy);
    return [allowed.map(({ kind }) => kind), held.map(({ kind }) => kind)];
  };
  assert.deepEqual(kinds('sync'), [['delete', 'create', 'keep'], []]);
  assert.deepEqual(kinds('upsert_only'), [['create', 'keep'], ['delete']]);
  assert.deepEqual(kinds('dry_run'), [['keep'], ['delete', 'create']]);
});
