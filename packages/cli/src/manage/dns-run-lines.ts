import type { DnsRun } from '@tunnox/domain/api/dns';
import { tableLines } from '../output/table.ts';

/** A run over a zone for people: its plan, and what became of it. */
export function runLines(run: DnsRun): string[] {
  const rows = run.plan.map(({ action, type, name, value, outcome, note }) => [
    ...[action, type, name, value, outcome, note ?? ''],
  ]);
  const table = rows.length === 0 ? [] : tableLines(['', 'type', 'name', 'value', '', ''], rows);
  return [...table, ...(table.length === 0 ? [] : ['']), summary(run), ...advice(run)];
}

function summary({ kind, status, plan, error, provider_calls: calls }: DnsRun): string {
  if (plan.length === 0 && error === null) return 'Everything is as it shall be';
  const what =
    kind === 'dry_run' ? 'Nothing was changed: this is the plan' : `The run is ${status}, with ${calls} calls`;
  return error === null ? what : `${what}. ${error}`;
}

function advice({ status, plan_hash: hash, zone_id: zoneId }: DnsRun): string[] {
  if (status !== 'refused' || hash === null) return [];
  return [`To let it pass: tunnox dns zones reconcile ${zoneId} --confirm ${hash}`];
}
