import type { ActualRecord } from '@tunnox/dns-plan/plan';
import { ProviderError, type ZoneChange, type ZoneProvider } from './zone-provider.ts';

/** What became of one change. */
export type ChangeOutcome =
  /** `providerRecordId` null: deleted. */
  | { kind: 'done'; providerRecordId: string | null }
  | { kind: 'failed'; error: ProviderError }
  /** Not tried: the run had to stop. */
  | { kind: 'left' };

export interface AppliedChanges {
  /** In the order of the changes. */
  outcomes: ChangeOutcome[];
  /** What stopped the work; null: nothing did. */
  stopped: ProviderError | null;
  /** The zone as it is now. */
  zone: ActualRecord[];
}

/** A change with its place in the caller's list. */
interface Numbered {
  index: number;
  change: ZoneChange;
}

/**
 * Carries changes out in batches, in their order. A batch that the provider does not take is halved until what it does
 * not take stands alone: one bad record stops no other. Whatever concerns all of them (no answer, rate limit, token)
 * stops the run; what was not tried is `left`.
 *
 * Changes of one name stay together in order: what replaces another comes after it.
 */
export async function applyChanges(
  provider: ZoneProvider,
  changes: readonly ZoneChange[],
  actual: readonly ActualRecord[],
  signal: AbortSignal,
): Promise<AppliedChanges> {
  const outcomes: ChangeOutcome[] = changes.map(() => ({ kind: 'left' }));
  let zone = [...actual];
  let stopped: ProviderError | null = null;

  /** @returns false: the run stops. */
  const tryBatch = async (batch: readonly Numbered[]): Promise<boolean> => {
    try {
      const ids = await provider.applyBatch(
        batch.map(({ change }) => change),
        zone,
        signal,
      );
      batch.forEach(({ index, change }, position) => {
        const providerRecordId = change.kind === 'delete' ? null : (ids[position] ?? null);
        outcomes[index] = { kind: 'done', providerRecordId };
        zone = withChange(zone, change, providerRecordId);
      });
      return true;
    } catch (cause) {
      const error = cause instanceof ProviderError ? cause : new ProviderError('unreachable', String(cause), { cause });
      if (error.kind !== 'rejected') {
        stopped = error;
        for (const { index } of batch) outcomes[index] = { kind: 'failed', error };
        return false;
      }
      const [first] = batch;
      if (batch.length === 1 && first !== undefined) {
        outcomes[first.index] = { kind: 'failed', error };
        return true;
      }
      const half = middleOf(batch);
      return (await tryBatch(batch.slice(0, half))) && (await tryBatch(batch.slice(half)));
    }
  };

  for (const batch of batchesOf(changes, provider.batchMax)) {
    if (!(await tryBatch(batch))) break;
  }
  return { outcomes, stopped, zone };
}

/** Batches in which the changes of a name are not torn apart, unless they are more than a batch. */
function batchesOf(changes: readonly ZoneChange[], size: number): Numbered[][] {
  const numbered = changes.map((change, index): Numbered => ({ index, change }));
  const groups = [...Map.groupBy(numbered, ({ change }) => nameOf(change)).values()];
  const batches: Numbered[][] = [];
  let batch: Numbered[] = [];
  for (const group of groups) {
    if (batch.length > 0 && batch.length + group.length > size) {
      batches.push(batch);
      batch = [];
    }
    for (let at = 0; at < group.length; at += size) {
      batch.push(...group.slice(at, at + size));
      if (batch.length >= size) {
        batches.push(batch);
        batch = [];
      }
    }
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

/** Where to cut: between two names if there are two. */
function middleOf(batch: readonly Numbered[]): number {
  const half = Math.ceil(batch.length / 2);
  const isBorder = (at: number) =>
    at > 0 &&
    at < batch.length &&
    nameOf((batch[at - 1] as Numbered).change) !== nameOf((batch[at] as Numbered).change);
  for (let step = 0; step < batch.length; step += 1) {
    if (isBorder(half - step)) return half - step;
    if (isBorder(half + step)) return half + step;
  }
  return half;
}

function nameOf(change: ZoneChange): string {
  return change.kind === 'delete' ? change.actual.name : change.record.name;
}

function withChange(zone: ActualRecord[], change: ZoneChange, providerRecordId: string | null): ActualRecord[] {
  const others = change.kind === 'create' ? zone : zone.filter((record) => record.id !== change.actual.id);
  if (change.kind === 'delete' || providerRecordId === null) return others;
  const { type, name, value, ttl, proxied } = change.record;
  return [...others, { id: providerRecordId, type, name, value, ttl, proxied, owned: true }];
}
