import { ownershipMark } from '@tunnox/dns-plan/ownership';
import { type PlanItem, recordOf } from '@tunnox/dns-plan/plan';
import { applyChanges, type ChangeOutcome } from './apply-changes.ts';
import { chunksByName } from './chunks-by-name.ts';
import { noteOf } from './plan-notes.ts';
import { changedRow, leftRow, settledRow } from './row-results.ts';
import type { RunReport } from './run-report.ts';
import { CHUNK, type ZoneLease } from './zone-lease.ts';
import type { ProviderError, WishedRecord, ZoneChange, ZoneProvider } from './zone-provider.ts';
import type { ZoneRow } from './zone-run-ports.ts';

/** Changes of one run: a hundred of them are about six calls, of which a Worker has a thousand. */
const CHANGES_MAX = 10_000;

export interface CarryOutDeps {
  lease: ZoneLease;
  provider: ZoneProvider;
  report: RunReport;
  /** Rows of the zone by their ids. */
  rows: ReadonlyMap<number, ZoneRow>;
  signal: AbortSignal;
}

export interface CarriedOut {
  /** What stopped the run; null: nothing did. */
  stopped: ProviderError | null;
  /** Changes that are left to the next run, because there are too many for one. */
  left: number;
}

/** Carries out what a run may do: settles what needs no call, then changes in chunks, each under a lease that was kept. */
export async function carryOut(deps: CarryOutDeps, items: readonly PlanItem[]): Promise<CarriedOut> {
  await settle(deps, items);
  const all = items.flatMap((item) => {
    const change = toChange(item, deps);
    return change === null ? [] : [{ item, change }];
  });
  const chunks = chunksByName(all.slice(0, CHANGES_MAX), ({ item }) => recordOf(item).name, CHUNK);
  const left = Math.max(0, all.length - CHANGES_MAX);
  for (const [at, chunk] of chunks.entries()) {
    const stopped = await applyChunk(deps, chunk);
    if (stopped === null) continue;
    const rest = chunks.slice(at + 1).flat();
    await leave(
      deps,
      rest.map(({ item }) => item),
      stopped,
    );
    return { stopped, left };
  }
  return { stopped: null, left };
}

/** What needs no call: rows that are as they shall be, and conflicts. */
async function settle({ lease, report, rows }: CarryOutDeps, items: readonly PlanItem[]): Promise<void> {
  const results = items.flatMap((item) => {
    const row = item.desired === null ? undefined : rows.get(item.desired.id);
    if (row === undefined || item.kind === 'create' || item.kind === 'update' || item.kind === 'delete') return [];
    report.add(item, item.kind === 'conflict' ? 'failed' : 'done', noteOf(item));
    return settledRow(item, row) ?? [];
  });
  await lease.write(results);
}

async function applyChunk(
  { lease, provider, report, rows, signal }: CarryOutDeps,
  chunk: readonly { item: PlanItem; change: ZoneChange }[],
): Promise<ProviderError | null> {
  const rowOf = ({ desired }: PlanItem) => (desired === null ? undefined : rows.get(desired.id));
  await lease.keep();
  // Rows that were changed since they were read are left to the next run.
  const running = await lease.take(chunk.flatMap(({ item }) => rowOf(item) ?? []));
  const taken = chunk.filter(({ item }) => item.desired === null || running.has(item.desired.id));
  const applied = await applyChanges(
    provider,
    taken.map(({ change }) => change),
    { signal, before: () => lease.keep() },
  );
  const results = taken.flatMap(({ item }, index) => {
    const outcome = applied.outcomes[index] as ChangeOutcome;
    report.add(item, OUTCOMES[outcome.kind], outcome.kind === 'failed' ? outcome.error.message : noteOf(item));
    const row = rowOf(item);
    return row === undefined ? [] : [changedRow(row, outcome, applied.stopped)];
  });
  await lease.write(results);
  return applied.stopped;
}

const OUTCOMES = { done: 'done', failed: 'failed', left: 'planned' } as const;

async function leave({ lease, report, rows }: CarryOutDeps, items: PlanItem[], stopped: ProviderError): Promise<void> {
  const results = items.flatMap((item) => {
    report.add(item, 'planned', null);
    const row = item.desired === null ? undefined : rows.get(item.desired.id);
    return row === undefined ? [] : [leftRow(row, stopped)];
  });
  await lease.write(results);
}

/** The change that an item asks of the provider; null: none. */
function toChange(item: PlanItem, deps: CarryOutDeps): ZoneChange | null {
  switch (item.kind) {
    case 'create':
      return { kind: 'create', record: toWish(item, deps) };
    case 'update':
      return { kind: 'update', actual: item.actual, record: toWish(item, deps) };
    case 'delete':
      return { kind: 'delete', actual: item.actual };
    case 'adopt':
    case 'keep':
    case 'gone':
    case 'conflict':
      return null;
  }
}

/** Its comment bears the mark, and for people: whose record it is. */
function toWish({ desired }: PlanItem & { kind: 'create' | 'update' }, { lease, rows }: CarryOutDeps): WishedRecord {
  const { type, name, value, ttl, proxied } = desired;
  const row = rows.get(desired.id);
  const owner = row === undefined ? '' : ` ${row.ownerType}${row.ownerId === null ? '' : ` ${row.ownerId}`}`;
  return { type, name, value, ttl, proxied, comment: ownershipMark(lease.zone.tag) + owner };
}
