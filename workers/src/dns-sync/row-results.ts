import type { PlanItem } from '@tunnox/dns-plan/plan';
import { RETRIES_MAX, retryDelayS } from '@tunnox/dns-plan/retry';
import type { WishedRecord, ZoneChange } from './zone-provider.ts';
import type { RowResult, ZoneRow } from './zone-run-ports.ts';

/**
 * A failure of the row itself counts towards the last try; one of the provider as a whole only backs off: an outage of a
 * day must not leave a zone of records that wait for a person.
 */
export function failedRow(row: ZoneRow, code: string, message: string, retryAfterS: number | null): RowResult {
  const isOwn = code === 'rejected' || code === 'conflict';
  const retryCount = isOwn ? row.retryCount + 1 : Math.min(row.retryCount + 1, RETRIES_MAX - 1);
  const delayS = retryDelayS(retryCount);
  const dueInS = delayS === null ? null : Math.max(delayS, retryAfterS ?? 0);
  return { recordId: row.id, version: row.version, kind: 'failed', code, message, retryCount, dueInS };
}

/** The change that an item asks of the provider; null: none. @param comment What the record shall bear. */
export function toChange(item: PlanItem, comment: string): ZoneChange | null {
  switch (item.kind) {
    case 'create':
      return { kind: 'create', record: wished(item, comment) };
    case 'update':
      return { kind: 'update', actual: item.actual, record: wished(item, comment) };
    case 'delete':
      return { kind: 'delete', actual: item.actual };
    case 'adopt':
    case 'keep':
    case 'gone':
    case 'conflict':
      return null;
  }
}

function wished({ desired }: PlanItem & { kind: 'create' | 'update' }, comment: string): WishedRecord {
  const { type, name, value, ttl, proxied } = desired;
  return { type, name, value, ttl, proxied, comment };
}
