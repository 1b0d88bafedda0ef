import { RECORD_TYPES, type RecordType } from './record-type.ts';

/** A record as it shall be. Name and value are canonical; (type, name, value) is there once. */
export interface DesiredRecord {
  id: number;
  type: RecordType;
  /** Whole name. */
  name: string;
  value: string;
  /** Seconds; 1: the provider's choice. */
  ttl: number;
  /** null: the provider has no such thing, or it does not matter. */
  proxied: boolean | null;
  state: 'present' | 'absent';
  /** The provider's id of it, where it was seen last; null: it was never there. */
  providerRecordId: string | null;
  /** Follows relays by itself: the guard against mass changes does not count it. */
  exempt: boolean;
}

/** A record as the provider has it. */
export interface ActualRecord {
  id: string;
  type: string;
  name: string;
  /** Canonical where the type is known. */
  value: string;
  /** null: it stands in a set with values of others, whose TTL is theirs. */
  ttl: number | null;
  proxied: boolean | null;
  /** It bears the mark of this zone. */
  owned: boolean;
}

/** One thing to do, or to note. */
export type PlanItem =
  /** `drift`: it was there and somebody has removed it. */
  | { kind: 'create'; desired: DesiredRecord; drift: boolean }
  /** `drift`: it was ours as it is now desired, and somebody has changed it. `adopt`: foreign, identical, taken over. */
  | { kind: 'update'; desired: DesiredRecord; actual: ActualRecord; reason: 'changed' | 'drift' | 'adopt' }
  /** `desired` null: it bears our mark and no row knows it. */
  | { kind: 'delete'; desired: DesiredRecord | null; actual: ActualRecord }
  /** There with our mark, and the row does not know it by that id. */
  | { kind: 'adopt'; desired: DesiredRecord; actual: ActualRecord }
  /** As it shall be. */
  | { kind: 'keep'; desired: DesiredRecord; actual: ActualRecord }
  /** To be absent, and it is. */
  | { kind: 'gone'; desired: DesiredRecord }
  | { kind: 'conflict'; desired: DesiredRecord; foreign: ActualRecord[]; reason: ConflictReason };

export type ConflictReason =
  /** The very record is there and is not ours. */
  | 'exists'
  /** Somebody's values of the same name and type would share the name with ours. */
  | 'other_values'
  /** A CNAME stands alone at its name. */
  | 'cname_beside_others';

export interface PlanOptions {
  /** Foreign records that are just as desired become ours. */
  adoptIdentical: boolean;
}

/**
 * What leads from the actual to the desired records. A pure function: no record without our mark is ever in an update
 * (but for `adopt`) or a delete, carrying the plan out makes the next one empty, and equal inputs in any order give equal
 * plans.
 *
 * @param desired The rows of the zone: all of them, or else marked records without a row look like orphans.
 * @param actual All records of the zone.
 */
export function makePlan(
  desired: readonly DesiredRecord[],
  actual: readonly ActualRecord[],
  options: PlanOptions,
): PlanItem[] {
  const byName = Map.groupBy(actual, (record) => record.name);
  const wished = Map.groupBy(desired, (record) => record.name);
  const items: PlanItem[] = [];
  const known = new Set<string>();
  for (const [name, rows] of wished) {
    const there = byName.get(name) ?? [];
    for (const item of planName(rows, there, options)) {
      if ('actual' in item) known.add(item.actual.id);
      items.push(item);
    }
  }
  for (const record of actual) {
    if (record.owned && !known.has(record.id)) items.push({ kind: 'delete', desired: null, actual: record });
  }
  return items.sort(byOrder);
}

/** Things of a plan that change something at the provider. */
export function changesOf(plan: readonly PlanItem[]): (PlanItem & { kind: 'create' | 'update' | 'delete' })[] {
  return plan.filter((item) => item.kind === 'create' || item.kind === 'update' || item.kind === 'delete');
}

/**
 * Plans one name. What is taken over is ours for the other rows of the name too; a row that turns out to be in conflict
 * takes nothing over, which may bring others into conflict: repeated until nothing changes.
 */
function planName(rows: readonly DesiredRecord[], there: readonly ActualRecord[], options: PlanOptions): PlanItem[] {
  const wishes = options.adoptIdentical ? rows.filter(({ state }) => state === 'present') : [];
  let adopted = new Set(there.filter((record) => !record.owned && wishes.some((row) => isSame(row, record))));
  for (;;) {
    const items = rows.map((row) => planRow(row, there, rows, adopted));
    const refused = items.flatMap((item) => (item.kind === 'conflict' ? [item.desired] : []));
    const left = [...adopted].filter((record) => !refused.some((row) => isSame(row, record)));
    if (left.length === adopted.size) return items;
    adopted = new Set(left);
  }
}

function isSame(row: DesiredRecord, record: ActualRecord): boolean {
  return record.type === row.type && record.value === row.value;
}

/** What an item is about: its row, or the record that no row knows. */
export function recordOf(item: PlanItem): { name: string; type: string; value: string } {
  return item.kind === 'delete' && item.desired === null ? item.actual : (item.desired as DesiredRecord);
}

function planRow(
  row: DesiredRecord,
  there: readonly ActualRecord[],
  siblings: readonly DesiredRecord[],
  adopted: ReadonlySet<ActualRecord>,
): PlanItem {
  const same = there.filter((record) => isSame(row, record));
  const own = pickOwn(row, same);
  if (row.state === 'absent') {
    return own === undefined ? { kind: 'gone', desired: row } : { kind: 'delete', desired: row, actual: own };
  }
  if (own !== undefined) {
    const wasHere = own.id === row.providerRecordId;
    if (!isAsDesired(row, own)) {
      return { kind: 'update', desired: row, actual: own, reason: wasHere ? 'changed' : 'drift' };
    }
    return wasHere ? { kind: 'keep', desired: row, actual: own } : { kind: 'adopt', desired: row, actual: own };
  }
  const conflict = conflictOf(row, same, there, siblings, adopted);
  if (conflict !== null) return conflict;
  const [foreign] = same.toSorted(byId);
  if (foreign !== undefined) return { kind: 'update', desired: row, actual: foreign, reason: 'adopt' };
  return { kind: 'create', desired: row, drift: row.providerRecordId !== null };
}

/** The one of ours that the row knows, or else the first: two of the same cannot stay. */
function pickOwn(row: DesiredRecord, same: readonly ActualRecord[]): ActualRecord | undefined {
  const own = same.filter((record) => record.owned);
  return own.find((record) => record.id === row.providerRecordId) ?? own.toSorted(byId)[0];
}

function conflictOf(
  row: DesiredRecord,
  same: readonly ActualRecord[],
  there: readonly ActualRecord[],
  siblings: readonly DesiredRecord[],
  adopted: ReadonlySet<ActualRecord>,
): (PlanItem & { kind: 'conflict' }) | null {
  const foreign = there.filter((record) => !record.owned && !adopted.has(record));
  const conflict = (reason: ConflictReason, with_: readonly ActualRecord[]) => ({
    ...{ kind: 'conflict' as const, desired: row, reason },
    foreign: with_.toSorted(byId),
  });
  const excluded = foreign.filter((record) => (row.type === 'CNAME') !== (record.type === 'CNAME'));
  if (excluded.length > 0) return conflict('cname_beside_others', excluded);
  // Rows are checked when they are stored; should two of ours exclude each other all the same, the older one stays.
  const older = siblings.filter(
    (one) => one.state === 'present' && one.id < row.id && (one.type === 'CNAME' || row.type === 'CNAME'),
  );
  if (older.length > 0) return conflict('cname_beside_others', []);
  if (RECORD_TYPES[row.type].beside !== 'all') {
    const sharing = foreign.filter((record) => record.type === row.type && !same.includes(record));
    if (sharing.length > 0) return conflict('other_values', sharing);
  }
  const identical = foreign.filter((record) => same.includes(record));
  return identical.length > 0 ? conflict('exists', identical) : null;
}

function isAsDesired(row: DesiredRecord, actual: ActualRecord): boolean {
  const sameProxied = row.proxied === null || actual.proxied === null || row.proxied === actual.proxied;
  // A proxied record's TTL is the provider's own.
  const isFree = row.ttl === 1 || actual.ttl === null || (actual.proxied === true && row.proxied !== false);
  const sameTtl = isFree || actual.ttl === row.ttl;
  return sameProxied && sameTtl;
}

/** Deletes come first: what takes their place may exclude them. */
const ORDER: Record<PlanItem['kind'], number> = {
  ...{ delete: 0, update: 1, create: 2, adopt: 3, keep: 4, gone: 5, conflict: 6 },
};

function byOrder(a: PlanItem, b: PlanItem): number {
  return ORDER[a.kind] - ORDER[b.kind] || compare(keyOf(a), keyOf(b));
}

function keyOf(item: PlanItem): string {
  const { name, type, value } = recordOf(item);
  return `${name} ${type} ${value} ${'actual' in item ? item.actual.id : ''}`;
}

function byId(a: ActualRecord, b: ActualRecord): number {
  return compare(a.id, b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
