import { chunksByName } from './chunks-by-name.ts';
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
}

export interface ApplyOptions {
  signal: AbortSignal;
  /** Called before each batch: what it throws ends the work. */
  before: () => Promise<void>;
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
  { signal, before }: ApplyOptions,
): Promise<AppliedChanges> {
  const outcomes: ChangeOutcome[] = changes.map(() => ({ kind: 'left' }));
  let stopped: ProviderError | null = null;

  /** @returns false: the run stops. */
  const tryBatch = async (batch: readonly Numbered[]): Promise<boolean> => {
    await before();
    const changesOfBatch = batch.map(({ change }) => change);
    try {
      const ids = await provider.applyBatch(changesOfBatch, signal);
      for (const [position, { index }] of batch.entries()) {
        outcomes[index] = { kind: 'done', providerRecordId: ids[position] ?? null };
      }
      return true;
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
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

  const numbered = changes.map((change, index): Numbered => ({ index, change }));
  for (const batch of chunksByName(numbered, nameOf, provider.batchMax)) {
    if (!(await tryBatch(batch))) break;
  }
  return { outcomes, stopped };
}

/** Where to cut: between two names if there are two. */
function middleOf(batch: readonly Numbered[]): number {
  const half = Math.ceil(batch.length / 2);
  const isBorder = (at: number) => {
    const [before, after] = [batch[at - 1], batch[at]];
    return before !== undefined && after !== undefined && nameOf(before) !== nameOf(after);
  };
  for (let step = 0; step < batch.length; step += 1) {
    if (isBorder(half - step)) return half - step;
    if (isBorder(half + step)) return half + step;
  }
  return half;
}

function nameOf({ change }: Numbered): string {
  return change.kind === 'delete' ? change.actual.name : change.record.name;
}
