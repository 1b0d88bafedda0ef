import { conflictText } from '@tunnox/dns-plan/conflict-text';
import { DEFAULT_GUARD, guardPlan, planText } from '@tunnox/dns-plan/guard';
import { ownershipMark } from '@tunnox/dns-plan/ownership';
import { type ActualRecord, makePlan, type PlanItem } from '@tunnox/dns-plan/plan';
import { applyPolicy } from '@tunnox/dns-plan/policy';
import { retryDelayS } from '@tunnox/dns-plan/retry';
import { applyChanges, type ChangeOutcome } from './apply-changes.ts';
import { guardText, noteOf } from './plan-notes.ts';
import type { ReconcileDeps, ReconcileOutcome, ReconcileRequest } from './reconcile-zone.ts';
import { failedRow, toChange } from './row-results.ts';
import { RunReport } from './run-report.ts';
import { ProviderError, type ZoneChange } from './zone-provider.ts';
import type { FinishedRun, LeasedZone, OpenedZone, RowResult, ZoneRow } from './zone-run-ports.ts';

/** Longer than any single call of a provider, which ends after 10 s; extended with each chunk. */
export const LEASE_S = 60;

/** Rows that are `running` at a time. */
const CHUNK = 100;

/** What the guard or the policy holds back is looked at again after this time. */
const HELD_S = 600;

/** The lease went to somebody else. */
class LeaseLost extends Error {}

/** One run over a zone whose lease is held: list, plan, guard, apply, write. */
export class ZoneRun {
  readonly #deps: ReconcileDeps;
  readonly #request: ReconcileRequest;
  readonly #zone: LeasedZone;
  readonly #report = new RunReport();

  constructor(deps: ReconcileDeps, request: ReconcileRequest, zone: LeasedZone) {
    this.#deps = deps;
    this.#request = request;
    this.#zone = zone;
  }

  async run(): Promise<ReconcileOutcome> {
    const { zones } = this.#deps;
    const { zoneId } = this.#zone;
    const kind = this.#request.kind === 'asked' ? 'full' : this.#request.kind;
    const runId = await zones.startRun({ zoneId, kind });
    let opened: OpenedZone | null = null;
    let run: FinishedRun;
    try {
      opened = await this.#open();
      run = await this.#work(opened);
    } catch (error) {
      if (error instanceof LeaseLost) {
        await zones.finishRun(runId, this.#finished('failed', opened, 'Another control plane has taken the zone over'));
        return { kind: 'lost' };
      }
      if (!(error instanceof ProviderError)) {
        await zones.finishRun(runId, this.#finished('failed', opened, 'Something went wrong here'));
        throw error;
      }
      await this.#wholeZoneFailed(error);
      run = this.#finished('failed', opened, error.message);
    }
    await zones.finishRun(runId, run);
    return { kind: 'ran', runId, run };
  }

  async #open(): Promise<OpenedZone> {
    const { zones, opener } = this.#deps;
    const { zoneId, fence } = this.#zone;
    const opened = await opener.open(this.#zone, this.#request.signal);
    if (opened.providerZoneId !== this.#zone.providerZoneId) {
      await zones.noteZone(zoneId, fence, { providerZoneId: opened.providerZoneId });
    }
    return opened;
  }

  async #work(opened: OpenedZone): Promise<FinishedRun> {
    const { zones, sha256Hex } = this.#deps;
    const { zoneId, fence, guardShare } = this.#zone;
    const { kind, confirm, adoptIdentical = false, signal } = this.#request;
    const actual = await opened.provider.list(signal);
    await this.#keepLease();
    const rows = await zones.rows(zoneId);
    const byId = new Map(rows.map((row) => [row.id, row]));
    const plan = this.#inScope(makePlan(rows, actual, { adoptIdentical }), byId);
    const { allowed, held } = applyPolicy(plan, kind === 'dry_run' ? 'dry_run' : this.#zone.policy);
    const text = planText(plan);
    const planHash = text === '' ? null : await sha256Hex(text);
    const guard = guardPlan(kind === 'dry_run' ? plan : allowed, actual, { ...DEFAULT_GUARD, shareMax: guardShare });
    const refused = guard.refused && confirm !== planHash;
    const isRefused = (item: PlanItem) =>
      refused && (item.kind === 'update' || item.kind === 'delete') && item.desired?.exempt !== true;

    if (kind === 'dry_run') {
      for (const item of plan) this.#report.add(item, item.kind === 'keep' ? 'done' : 'planned', noteOf(item));
      const error = refused ? guardText(guard, planHash) : null;
      return { ...this.#finished(refused ? 'refused' : 'done', opened, error), planHash };
    }

    const stopped = await this.#carryOut(
      opened,
      actual,
      byId,
      allowed.filter((item) => !isRefused(item)),
    );
    await this.#hold(byId, held, `The zone's policy is ${this.#zone.policy}: nothing of this kind is changed`, 'held');
    if (refused) await this.#hold(byId, allowed.filter(isRefused), guardText(guard, planHash), 'refused');
    const fullPass = kind !== 'due' && stopped === null;
    const error = stopped?.message ?? (refused ? guardText(guard, planHash) : null);
    await zones.noteZone(zoneId, fence, { error, ...(fullPass ? { fullPass } : {}) });
    return { ...this.#finished(this.#statusOf(stopped, refused), opened, error), planHash };
  }

  #statusOf(stopped: ProviderError | null, refused: boolean): FinishedRun['status'] {
    const failed = this.#report.counts['failed'] ?? 0;
    const done = this.#report.counts['done'] ?? 0;
    if (refused) return 'refused';
    if (stopped === null && failed === 0) return 'done';
    return done > 0 ? 'partial' : 'failed';
  }

  /** A run for what is due leaves the rest of the zone alone. */
  #inScope(plan: PlanItem[], byId: ReadonlyMap<number, ZoneRow>): PlanItem[] {
    const now = this.#deps.now();
    const { kind } = this.#request;
    if (kind === 'asked' || kind === 'dry_run') return plan;
    return plan.filter((item) => {
      // Orphans are known only to a pass over the whole zone.
      if (item.desired === null) return kind === 'full';
      const row = byId.get(item.desired.id);
      const isDue = row !== undefined && row.dueAtMs !== null && row.dueAtMs <= now;
      const isAtRest = row?.dueAtMs === null && row.retryCount === 0;
      return isDue || (kind === 'full' && isAtRest);
    });
  }

  /** @returns What stopped the run; null: nothing did. */
  async #carryOut(
    opened: OpenedZone,
    actual: readonly ActualRecord[],
    byId: ReadonlyMap<number, ZoneRow>,
    items: readonly PlanItem[],
  ): Promise<ProviderError | null> {
    await this.#settle(byId, items);
    const changes = items.filter((item) => toChange(item, this.#comment(item)) !== null);
    let zone = [...actual];
    for (let at = 0; at < changes.length; at += CHUNK) {
      const taken = await this.#take(byId, changes.slice(at, at + CHUNK));
      const wishes = taken.map((item) => toChange(item, this.#comment(item)) as ZoneChange);
      const applied = await applyChanges(opened.provider, wishes, zone, this.#request.signal);
      const { outcomes, stopped } = applied;
      const results = taken.flatMap((item, index) => this.#resultOf(byId, item, outcomes[index] as ChangeOutcome));
      await this.#write(results);
      if (stopped !== null) return stopped;
      zone = applied.zone;
    }
    return null;
  }

  /** What needs no call: rows that are as they shall be, and conflicts. */
  async #settle(byId: ReadonlyMap<number, ZoneRow>, items: readonly PlanItem[]): Promise<void> {
    const results = items.flatMap((item): RowResult[] => {
      const row = item.desired === null ? undefined : byId.get(item.desired.id);
      if (row === undefined) return [];
      const at = { recordId: row.id, version: row.version };
      switch (item.kind) {
        case 'keep':
        case 'adopt':
          this.#report.add(item, 'done', noteOf(item));
          if (item.kind === 'keep' && row.dueAtMs === null && row.retryCount === 0) return [];
          return [{ ...at, kind: 'active', providerRecordId: item.actual.id }];
        case 'gone':
          this.#report.add(item, 'done', null);
          return [{ ...at, kind: 'absent' }];
        case 'conflict': {
          const message = conflictText(item.desired, item.reason, item.foreign);
          this.#report.add(item, 'failed', message);
          return [failedRow(row, 'conflict', message, null)];
        }
        case 'create':
        case 'update':
        case 'delete':
          return [];
      }
    });
    for (let at = 0; at < results.length; at += CHUNK) await this.#write(results.slice(at, at + CHUNK));
  }

  /** Puts the chunk's rows into `running`; those that were changed since are left to the next run. */
  async #take(byId: ReadonlyMap<number, ZoneRow>, chunk: readonly PlanItem[]): Promise<PlanItem[]> {
    const { zoneId, fence } = this.#zone;
    await this.#keepLease();
    const rows = chunk.flatMap(({ desired }) => {
      const row = desired === null ? undefined : byId.get(desired.id);
      return row === undefined ? [] : [{ recordId: row.id, version: row.version }];
    });
    const running = new Set(rows.length === 0 ? [] : await this.#deps.zones.markRunning(zoneId, fence, rows));
    return chunk.filter(({ desired }) => desired === null || running.has(desired.id));
  }

  #resultOf(byId: ReadonlyMap<number, ZoneRow>, item: PlanItem, outcome: ChangeOutcome): RowResult[] {
    const row = item.desired === null ? undefined : byId.get(item.desired.id);
    switch (outcome.kind) {
      case 'done':
        this.#report.add(item, 'done', noteOf(item));
        break;
      case 'failed':
        this.#report.add(item, 'failed', outcome.error.message);
        break;
      case 'left':
        this.#report.add(item, 'planned', null);
        break;
    }
    if (row === undefined) return [];
    const at = { recordId: row.id, version: row.version };
    switch (outcome.kind) {
      case 'done':
        if (outcome.providerRecordId === null) return [{ ...at, kind: 'absent' }];
        return [{ ...at, kind: 'active', providerRecordId: outcome.providerRecordId }];
      case 'failed':
        return [failedRow(row, outcome.error.kind, outcome.error.message, outcome.error.retryAfterS)];
      case 'left':
        return [{ ...at, kind: 'held', message: 'The run had to stop before it', dueInS: retryDelayS(1) ?? 0 }];
    }
  }

  async #hold(
    byId: ReadonlyMap<number, ZoneRow>,
    items: readonly PlanItem[],
    message: string,
    outcome: 'held' | 'refused',
  ): Promise<void> {
    const results = items.flatMap((item): RowResult[] => {
      this.#report.add(item, outcome, outcome === 'held' ? message : noteOf(item));
      const row = item.desired === null ? undefined : byId.get(item.desired.id);
      return row === undefined
        ? []
        : [{ recordId: row.id, version: row.version, kind: 'held', message, dueInS: HELD_S }];
    });
    for (let at = 0; at < results.length; at += CHUNK) await this.#write(results.slice(at, at + CHUNK));
  }

  /** Before anything could be planned: what is due waits, and says why. */
  async #wholeZoneFailed(error: ProviderError): Promise<void> {
    const { zones, now } = this.#deps;
    const { zoneId, fence } = this.#zone;
    await zones.noteZone(zoneId, fence, { error: error.message });
    const due = (await zones.rows(zoneId)).filter((row) => row.dueAtMs !== null && row.dueAtMs <= now());
    const results = due.map((row) => failedRow(row, error.kind, error.message, error.retryAfterS));
    for (let at = 0; at < results.length; at += CHUNK) await this.#write(results.slice(at, at + CHUNK));
  }

  async #keepLease(): Promise<void> {
    const { zoneId, fence } = this.#zone;
    if (!(await this.#deps.zones.extend(zoneId, fence, LEASE_S))) throw new LeaseLost();
  }

  async #write(results: RowResult[]): Promise<void> {
    if (results.length === 0) return;
    const { zoneId, fence } = this.#zone;
    if (!(await this.#deps.zones.write(zoneId, fence, results))) throw new LeaseLost();
  }

  /** The mark, and for people: whose record it is. */
  #comment(item: PlanItem): string {
    const row = item.desired as ZoneRow | null;
    const owner = row === null ? '' : ` ${row.ownerType}${row.ownerId === null ? '' : ` ${row.ownerId}`}`;
    return `${ownershipMark(this.#zone.tag)}${owner}`;
  }

  #finished(status: FinishedRun['status'], opened: OpenedZone | null, error: string | null): FinishedRun {
    const providerCalls = opened?.calls() ?? 0;
    return { status, plan: this.#report.plan, counts: this.#report.counts, planHash: null, providerCalls, error };
  }
}
