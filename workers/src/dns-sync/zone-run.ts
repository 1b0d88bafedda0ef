import { DEFAULT_GUARD, type GuardVerdict, guardPlan, planText } from '@tunnox/dns-plan/guard';
import { type ActualRecord, makePlan, type PlanItem } from '@tunnox/dns-plan/plan';
import { applyPolicy } from '@tunnox/dns-plan/policy';
import { carryOut, type CarriedOut } from './carry-out.ts';
import { guardText, noteOf } from './plan-notes.ts';
import type { ReconcileDeps, ReconcileOutcome, ReconcileRequest } from './reconcile-zone.ts';
import { failedRow, heldRow } from './row-results.ts';
import { RunReport } from './run-report.ts';
import { inScope, namesToFind } from './run-scope.ts';
import { LeaseLost, ZoneLease } from './zone-lease.ts';
import { ProviderError } from './zone-provider.ts';
import type { FinishedRun, LeasedZone, OpenedZone, ZoneRow } from './zone-run-ports.ts';

/** What the guard or the policy holds back is looked at again after this time. */
const HELD_S = 600;

/** What is to be done, and what is not. */
interface Decision {
  plan: PlanItem[];
  allowed: PlanItem[];
  /** By the zone's policy. */
  held: PlanItem[];
  guard: GuardVerdict;
  /** By the guard. */
  refused: boolean;
  planHash: string | null;
}

/** One run over a zone whose lease is held: list, plan, guard, apply, write. */
export class ZoneRun {
  readonly #deps: ReconcileDeps;
  readonly #request: ReconcileRequest;
  readonly #lease: ZoneLease;
  readonly #report = new RunReport();

  constructor(deps: ReconcileDeps, request: ReconcileRequest, zone: LeasedZone) {
    this.#deps = deps;
    this.#request = request;
    this.#lease = new ZoneLease(deps.zones, zone);
  }

  async run(): Promise<ReconcileOutcome> {
    const { zones } = this.#deps;
    const kind = this.#request.kind === 'asked' ? 'full' : this.#request.kind;
    const runId = await zones.startRun({ zoneId: this.#lease.zone.zoneId, kind });
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
    const { zone } = this.#lease;
    const opened = await this.#deps.opener.open(zone, this.#request.signal);
    if (opened.providerZoneId !== zone.providerZoneId) {
      await this.#lease.note({ providerZoneId: opened.providerZoneId });
    }
    return opened;
  }

  async #work(opened: OpenedZone): Promise<FinishedRun> {
    const { zone } = this.#lease;
    const rows = await this.#deps.zones.rows(zone.zoneId);
    const decision = await this.#decide(opened, rows);
    const { plan, allowed, held, refused, planHash } = decision;
    const { kind, signal } = this.#request;
    const error = refused ? guardText(decision.guard, kind === 'asked' || kind === 'dry_run' ? planHash : null) : null;
    if (kind === 'dry_run') {
      for (const item of plan) this.#report.add(item, item.kind === 'keep' ? 'done' : 'planned', noteOf(item));
      return { ...this.#finished(refused ? 'refused' : 'done', opened, error), planHash };
    }
    const byId = new Map(rows.map((row) => [row.id, row]));
    const isRefused = (item: PlanItem) => refused && isGuarded(item);
    const done = await carryOut(
      { lease: this.#lease, provider: opened.provider, report: this.#report, rows: byId, signal },
      allowed.filter((item) => !isRefused(item)),
    );
    const policyText = `The zone's policy is ${zone.policy}: nothing of this kind is changed`;
    await this.#hold(byId, held, policyText, 'held');
    if (error !== null) await this.#hold(byId, allowed.filter(isRefused), error, 'refused');
    return { ...(await this.#conclude(opened, done, error)), planHash };
  }

  /** Lists the zone, or the names that matter, and plans. */
  async #decide(opened: OpenedZone, rows: readonly ZoneRow[]): Promise<Decision> {
    const { kind, signal } = this.#request;
    const names = namesToFind(rows, kind);
    if (names !== null) {
      const decision = await this.#planOf(rows, await opened.provider.find(names, signal), new Set(names));
      // What is unusual, only the whole zone tells.
      if (!decision.guard.refused) return decision;
    }
    return await this.#planOf(rows, await opened.provider.list(signal), null);
  }

  async #planOf(rows: readonly ZoneRow[], actual: ActualRecord[], names: Set<string> | null): Promise<Decision> {
    const { kind, confirm, adoptIdentical = false } = this.#request;
    const { policy, guardShare } = this.#lease.zone;
    await this.#lease.keep();
    const known = names === null ? rows : rows.filter(({ name }) => names.has(name));
    const plan = inScope(makePlan(known, actual, { adoptIdentical }), rows, kind);
    const { allowed, held } = applyPolicy(plan, kind === 'dry_run' ? 'sync' : policy);
    const text = planText(plan);
    const planHash = text === '' ? null : await this.#deps.sha256Hex(text);
    const guard = guardPlan(allowed, actual, { ...DEFAULT_GUARD, shareMax: guardShare });
    return { plan, allowed, held, guard, refused: guard.refused && confirm !== planHash, planHash };
  }

  async #conclude(opened: OpenedZone, { stopped, left }: CarriedOut, refusal: string | null): Promise<FinishedRun> {
    const leftText = left === 0 ? null : `There are too many changes for one run: ${left} are left to the next`;
    const error = stopped?.message ?? refusal ?? leftText;
    const isWhole = this.#request.kind !== 'due' && stopped === null && left === 0;
    await this.#lease.note({ error: stopped?.message ?? refusal, ...(isWhole ? { fullPass: true } : {}) });
    const { failed = 0, done = 0 } = this.#report.counts;
    const isClean = stopped === null && failed === 0 && left === 0;
    const status = refusal !== null ? 'refused' : isClean ? 'done' : done > 0 ? 'partial' : 'failed';
    return this.#finished(status, opened, error);
  }

  async #hold(
    rows: ReadonlyMap<number, ZoneRow>,
    items: readonly PlanItem[],
    message: string,
    outcome: 'held' | 'refused',
  ): Promise<void> {
    const results = items.flatMap((item) => {
      this.#report.add(item, outcome, outcome === 'held' ? message : noteOf(item));
      const row = item.desired === null ? undefined : rows.get(item.desired.id);
      return row === undefined ? [] : [heldRow(row, message, HELD_S)];
    });
    await this.#lease.write(results);
  }

  /** Before anything could be planned: what is due waits, and says why. */
  async #wholeZoneFailed(error: ProviderError): Promise<void> {
    if (this.#request.kind === 'dry_run') return;
    await this.#lease.note({ error: error.message });
    const rows = await this.#deps.zones.rows(this.#lease.zone.zoneId);
    const due = rows.filter((row) => row.due === 'now');
    await this.#lease.write(due.map((row) => failedRow(row, error.kind, error.message, error.retryAfterS)));
  }

  #finished(status: FinishedRun['status'], opened: OpenedZone | null, error: string | null): FinishedRun {
    const { plan, counts } = this.#report;
    return { status, plan, counts, planHash: null, providerCalls: opened?.calls() ?? 0, error };
  }
}

/** What the guard counts, it can refuse. */
function isGuarded(item: PlanItem): boolean {
  return (item.kind === 'update' || item.kind === 'delete') && item.desired?.exempt !== true;
}
