import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type ActualRecord, changesOf, type DesiredRecord, makePlan, type PlanItem, type PlanOptions } from './plan.ts';

const NO_ADOPTION: PlanOptions = { adoptIdentical: false };

const row = (change: Partial<DesiredRecord> = {}): DesiredRecord => ({
  ...{ id: 1, type: 'A', name: 'www.example.com', value: '203.0.113.1', ttl: 300, proxied: null },
  ...{ state: 'present', providerRecordId: null, exempt: false },
  ...change,
});
const there = (change: Partial<ActualRecord> = {}): ActualRecord => ({
  ...{ id: 'p1', type: 'A', name: 'www.example.com', value: '203.0.113.1', ttl: 300, proxied: null, owned: true },
  ...change,
});

/** `create A 203.0.113.1`, … */
const shown = (plan: PlanItem[]): string[] =>
  plan.map((item) => {
    const { type, value } = item.kind === 'delete' ? item.actual : item.desired;
    const why = 'reason' in item ? ` (${item.reason})` : 'drift' in item && item.drift ? ' (drift)' : '';
    const orphan = item.kind === 'delete' && item.desired === null ? ' (orphan)' : '';
    return `${item.kind} ${type} ${value}${why}${orphan}`;
  });

describe('makePlan()', () => {
  const cases: [string, DesiredRecord[], ActualRecord[], string[], PlanOptions?][] = [
    ['makes what is not there', [row()], [], ['create A 203.0.113.1']],
    ['puts back what somebody removed', [row({ providerRecordId: 'p1' })], [], ['create A 203.0.113.1 (drift)']],
    ['keeps what is right', [row({ providerRecordId: 'p1' })], [there()], ['keep A 203.0.113.1']],
    ['adopts what bears the mark and is not known by its id', [row()], [there()], ['adopt A 203.0.113.1']],
    ['changes a TTL', [row({ providerRecordId: 'p1', ttl: 60 })], [there()], ['update A 203.0.113.1 (changed)']],
    [
      'leaves the TTL of a set to the others who have values in it',
      [row({ providerRecordId: 'p1', type: 'TXT', value: 'ours', ttl: 60 })],
      [there({ type: 'TXT', value: 'ours', ttl: null })],
      ['keep TXT ours'],
    ],
    ['leaves a TTL alone that is the provider’s choice', [row({ ttl: 1 })], [there()], ['adopt A 203.0.113.1']],
    [
      'leaves the TTL of a proxied record to the provider',
      [row({ providerRecordId: 'p1', proxied: true, ttl: 60 })],
      [there({ proxied: true, ttl: 1 })],
      ['keep A 203.0.113.1'],
    ],
    [
      'changes proxied',
      [row({ providerRecordId: 'p1', proxied: false })],
      [there({ proxied: true })],
      ['update A 203.0.113.1 (changed)'],
    ],
    ['deletes what shall be absent', [row({ state: 'absent' })], [there()], ['delete A 203.0.113.1']],
    ['is done with what is absent', [row({ state: 'absent' })], [], ['gone A 203.0.113.1']],
    [
      'never deletes a foreign record, also if it is the same',
      [row({ state: 'absent' })],
      [there({ owned: false })],
      ['gone A 203.0.113.1'],
    ],
    ['deletes marked records without a row', [], [there()], ['delete A 203.0.113.1 (orphan)']],
    ['lets foreign records be', [], [there({ owned: false })], []],
    [
      'leaves one of two of the same',
      [row({ providerRecordId: 'p2' })],
      [there(), there({ id: 'p2' })],
      ['delete A 203.0.113.1 (orphan)', 'keep A 203.0.113.1'],
    ],
    ['sees a conflict with the very record', [row()], [there({ owned: false })], ['conflict A 203.0.113.1 (exists)']],
    [
      'takes the very record over if it is told to',
      [row()],
      [there({ owned: false })],
      ['update A 203.0.113.1 (adopt)'],
      { adoptIdentical: true },
    ],
    [
      'does not share a name with foreign addresses',
      [row()],
      [there({ owned: false, value: '198.51.100.1' })],
      ['conflict A 203.0.113.1 (other_values)'],
    ],
    [
      'does not share it either when it takes over',
      [row()],
      [there({ owned: false }), there({ id: 'p2', owned: false, value: '198.51.100.1' })],
      ['conflict A 203.0.113.1 (other_values)'],
      { adoptIdentical: true },
    ],
    [
      'lets A stand beside a foreign AAAA',
      [row()],
      [there({ owned: false, type: 'AAAA', value: '2001:db8::1' })],
      ['create A 203.0.113.1'],
    ],
    [
      'lets TXT values of others stand beside ours',
      [row({ type: 'TXT', value: 'ours' })],
      [there({ owned: false, type: 'TXT', value: 'theirs' })],
      ['create TXT ours'],
    ],
    [
      'puts no CNAME beside foreign records',
      [row({ type: 'CNAME', value: 'relay.example.net' })],
      [there({ owned: false, type: 'TXT', value: 'theirs' })],
      ['conflict CNAME relay.example.net (cname_beside_others)'],
    ],
    [
      'puts nothing beside a foreign CNAME',
      [row()],
      [there({ owned: false, type: 'CNAME', value: 'elsewhere.example.net' })],
      ['conflict A 203.0.113.1 (cname_beside_others)'],
    ],
    [
      'replaces a CNAME of ours, the old one first',
      [
        row({ type: 'CNAME', value: 'old.example.net', state: 'absent' }),
        row({ id: 2, type: 'CNAME', value: 'new.example.net' }),
      ],
      [there({ type: 'CNAME', value: 'old.example.net' })],
      ['delete CNAME old.example.net', 'create CNAME new.example.net'],
    ],
    [
      'lets the older of two rows stay that exclude each other',
      [row({ type: 'CNAME', value: 'relay.example.net' }), row({ id: 2 })],
      [],
      ['create CNAME relay.example.net', 'conflict A 203.0.113.1 (cname_beside_others)'],
    ],
  ];
  for (const [what, desired, actual, expected, options = NO_ADOPTION] of cases) {
    test(what, () => assert.deepEqual(shown(makePlan(desired, actual, options)), expected));
  }
});

const NAMES = ['example.com', 'www.example.com', 'a.example.com'];
const VALUES: Record<string, string[]> = {
  A: ['203.0.113.1', '203.0.113.2'],
  CNAME: ['x.example.net', 'y.example.net'],
  TXT: ['one', 'two'],
};
const types = fc.constantFrom<DesiredRecord['type']>('A', 'CNAME', 'TXT');
const recordPlace = types.chain((type) =>
  fc.record({
    type: fc.constant(type),
    name: fc.constantFrom(...NAMES),
    value: fc.constantFrom(...(VALUES[type] ?? [])),
    ttl: fc.constantFrom(1, 60, 300),
    proxied: fc.constantFrom(null, true, false),
  }),
);
const desiredZone = fc
  .uniqueArray(
    fc.tuple(
      recordPlace,
      fc.record({
        state: fc.constantFrom<DesiredRecord['state']>('present', 'present', 'absent'),
        providerRecordId: fc.constantFrom(null, 'p0', 'p1', 'gone'),
        exempt: fc.boolean(),
      }),
    ),
    { selector: ([{ type, name, value }]) => `${type} ${name} ${value}`, maxLength: 10 },
  )
  .map((rows) => rows.map(([record, rest], index): DesiredRecord => ({ id: index + 1, ...record, ...rest })));
const actualZone = fc
  .array(fc.tuple(recordPlace, fc.boolean()), { maxLength: 10 })
  .map((all) => all.map(([record, owned], index): ActualRecord => ({ id: `p${index}`, ...record, owned })));
const anyOptions = fc.record({ adoptIdentical: fc.boolean() });

/** A provider that does what it is told. */
function carryOut(plan: PlanItem[], actual: ActualRecord[]): ActualRecord[] {
  let zone = [...actual];
  for (const item of changesOf(plan)) {
    if (item.kind !== 'create') zone = zone.filter((record) => record.id !== item.actual.id);
    if (item.kind === 'delete') continue;
    const { id, type, name, value, ttl, proxied } = item.desired;
    zone.push({
      id: item.kind === 'create' ? `new${id}` : item.actual.id,
      type,
      name,
      value,
      ttl,
      proxied,
      owned: true,
    });
  }
  return zone;
}

/** What the rows know after the plan was carried out. */
function written(plan: PlanItem[], desired: DesiredRecord[]): DesiredRecord[] {
  const ended = new Set(plan.flatMap((item) => (item.desired?.state === 'absent' ? [item.desired.id] : [])));
  const ids = new Map(
    plan.flatMap((item): [number, string][] => {
      if (item.desired === null || item.kind === 'gone' || item.kind === 'conflict') return [];
      return [[item.desired.id, item.kind === 'create' ? `new${item.desired.id}` : item.actual.id]];
    }),
  );
  return desired
    .filter(({ id }) => !ended.has(id))
    .map((one) => ({ ...one, providerRecordId: ids.get(one.id) ?? one.providerRecordId }));
}

test('carrying a plan out gives the desired state, and the next plan changes nothing', () => {
  fc.assert(
    fc.property(desiredZone, actualZone, anyOptions, (desired, actual, options) => {
      const plan = makePlan(desired, actual, options);
      const after = carryOut(plan, actual);
      const rows = written(plan, desired);
      const conflicts = new Set(plan.flatMap((item) => (item.kind === 'conflict' ? [item.desired.id] : [])));
      for (const one of rows) {
        const found = after.filter(
          (record) =>
            record.owned && record.type === one.type && record.name === one.name && record.value === one.value,
        );
        assert.equal(found.length, conflicts.has(one.id) ? 0 : 1, JSON.stringify(one));
      }
      assert.equal(after.filter((record) => record.owned).length, rows.length - conflicts.size);
      const next = makePlan(rows, after, options);
      assert.deepEqual(changesOf(next), []);
    }),
    { numRuns: 3000 },
  );
});

test('no foreign record is ever in a delete, nor in an update but to be taken over', () => {
  fc.assert(
    fc.property(desiredZone, actualZone, anyOptions, (desired, actual, options) => {
      for (const item of changesOf(makePlan(desired, actual, options))) {
        if (item.kind === 'delete') assert.ok(item.actual.owned);
        if (item.kind !== 'update' || item.actual.owned) continue;
        assert.ok(options.adoptIdentical && item.reason === 'adopt');
        assert.equal(item.actual.value, item.desired.value);
      }
    }),
    { numRuns: 3000 },
  );
});

test('a plan does not depend on the order of what it was made of', () => {
  const shuffled = <T>(items: T[]) => fc.shuffledSubarray(items, { minLength: items.length });
  const zones = fc
    .tuple(desiredZone, actualZone)
    .chain(([desired, actual]) =>
      fc.tuple(fc.constant(desired), fc.constant(actual), shuffled(desired), shuffled(actual)),
    );
  fc.assert(
    fc.property(zones, anyOptions, ([desired, actual, desiredAgain, actualAgain], options) => {
      assert.deepEqual(makePlan(desired, actual, options), makePlan(desiredAgain, actualAgain, options));
    }),
  );
});

test('a plan of 10 000 records takes less than a second', () => {
  const desired = Array.from({ length: 10_000 }, (_, index) =>
    row({ id: index + 1, name: `n${index}.example.com`, providerRecordId: `p${index}` }),
  );
  const actual = desired.map(({ name }, index) => there({ id: `p${index}`, name }));
  const started = performance.now();
  assert.deepEqual(changesOf(makePlan(desired, actual, NO_ADOPTION)), []);
  assert.ok(performance.now() - started < 1000);
});
