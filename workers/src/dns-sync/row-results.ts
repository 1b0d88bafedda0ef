import { conflictText } from '@tunnox/dns-plan/conflict-text';
import type { PlanItem } from '@tunnox/dns-plan/plan';
import { RETRIES_MAX, retryDelayS } from '@tunnox/dns-plan/retry';
import type { ChangeOutcome } from './apply-changes.ts';
import type { ProviderError } from './zone-provider.ts';
import type { RowResult, ZoneRow } from './zone-run-ports.ts';

/** The first wait: of what was not tried at all. */
const FIRST_DELAY_S = retryDelayS(1) ?? 60;

/**
 * A failure of the row itself counts towards the last try; one of the provider as a whole (no answer, rate limit, token,
 * zone) only backs off: an outage of a day must not leave a zone of records that wait for a person.
 */
export function failedRow(row: ZoneRow, code: string, message: string, retryAfterS: number | null): RowResult {
  const isOwn = code === 'rejected' || code === 'conflict';
  const retryCount = isOwn ? row.retryCount + 1 : Math.min(row.retryCount + 1, RETRIES_MAX - 1);
  const delayS = retryDelayS(retryCount);
  const dueInS = delayS === null ? null : Math.max(delayS, retryAfterS ?? 0);
  return { ...headOf(row), kind: 'failed', code, message, retryCount, dueInS };
}

/** Held back: looked at again after a time, and not counted as a try. */
export function heldRow(row: ZoneRow, message: string, dueInS: number): RowResult {
  return { ...headOf(row), kind: 'held', message, dueInS };
}

/** Of a row that the run did not come to. */
export function leftRow(row: ZoneRow, stopped: ProviderError): RowResult {
  const dueInS = Math.max(FIRST_DELAY_S, stopped.retryAfterS ?? 0);
  return heldRow(row, `The run had to stop before it: ${stopped.message}`, dueInS);
}

/** Of an item that needs no call; null: nothing is to be written. */
export function settledRow(item: PlanItem, row: ZoneRow): RowResult | null {
  switch (item.kind) {
    case 'keep':
      if (row.due === 'never' && row.retryCount === 0) return null;
      return { ...headOf(row), kind: 'active', providerRecordId: item.actual.id };
    case 'adopt':
      return { ...headOf(row), kind: 'active', providerRecordId: item.actual.id };
    case 'gone':
      return { ...headOf(row), kind: 'absent' };
    case 'conflict':
      return failedRow(row, 'conflict', conflictText(item.desired, item.reason, item.foreign), null);
    case 'create':
    case 'update':
    case 'delete':
      return null;
  }
}

/** Of a change that was asked of the provider. */
export function changedRow(row: ZoneRow, outcome: ChangeOutcome, stopped: ProviderError | null): RowResult {
  switch (outcome.kind) {
    case 'done':
      if (outcome.providerRecordId === null) return { ...headOf(row), kind: 'absent' };
      return { ...headOf(row), kind: 'active', providerRecordId: outcome.providerRecordId };
    case 'failed':
      return failedRow(row, outcome.error.kind, outcome.error.message, outcome.error.retryAfterS);
    case 'left':
      if (stopped === null) throw new Error('Cannot leave a change out: nothing has stopped the run');
      return leftRow(row, stopped);
  }
}

function headOf({ id, version }: ZoneRow): { recordId: number; version: number } {
  return { recordId: id, version };
}
