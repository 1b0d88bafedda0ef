import { DurableObject } from 'cloudflare:workers';
import { type ReconcileOutcome, type ReconcileRequest, reconcileZone } from '../dns-sync/reconcile-zone.ts';
import { type LastRun, nextRunInMs, runKind, wakeInMs } from '../dns-sync/zone-schedule.ts';
import type { Env } from '../env.ts';
import type { RunWish } from '../services/dns-ports.ts';
import { dnsParts } from './dns-parts.ts';
import { storedState, type StoredState } from './object-state.ts';

const SCHEMA_VERSION = 1;

/** A run that fails for a reason of ours is tried again after this time. */
const FAILED_RETRY_MS = 40_000;

/** A zone that another control plane works on is looked at again after this time. */
const BUSY_RETRY_MS = 5000;

/** Somebody who asks for a run and finds the zone taken waits so long for each try, and for so many of them. */
const ASKED_RETRY_MS = 500;
const ASKED_TRIES_MAX = 24;

interface ZoneState {
  /** null: never woken. */
  zoneId: number | null;
  /** When the last run ended, milliseconds since 1970; null: there was none. */
  ranAtMs: number | null;
  /** Of the last run, see LastRun. */
  calls: number;
  failures: number;
}

/** Owner of a zone's runs: one at a time here; the lease in Postgres keeps other control planes out. */
export class ZoneReconciler extends DurableObject<Env> {
  readonly #state: StoredState<ZoneState>;
  #running: Promise<ReconcileOutcome> | null = null;
  /** When somebody wants a run, milliseconds since 1970; null: nobody does. */
  #wokenAt: number | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const initial: ZoneState = { zoneId: null, ranAtMs: null, calls: 0, failures: 0 };
    this.#state = storedState<ZoneState>(ctx.storage, SCHEMA_VERSION, initial);
  }

  /** Something is due: a run begins now, or once the running one has ended and its calls are made up for. */
  async wake(zoneId: number): Promise<void> {
    this.#state.save({ ...this.#state.load(), zoneId });
    const at = Date.now() + wakeInMs(this.#lastRun());
    this.#wokenAt = Math.min(at, this.#wokenAt ?? at);
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > at) await this.ctx.storage.setAlarm(at);
  }

  /** Runs now, after the run that is under way. @returns The run's id; null: another control plane is at it. */
  async reconcile(zoneId: number, wish: RunWish): Promise<number | null> {
    this.#state.save({ ...this.#state.load(), zoneId });
    for (let tries = 1; ; tries += 1) {
      const outcome = await this.#run({ zoneId, ...wish });
      if (outcome.kind === 'ran') {
        await this.#arm();
        return outcome.runId;
      }
      if (tries === ASKED_TRIES_MAX) return null;
      await scheduler.wait(ASKED_RETRY_MS);
    }
  }

  override async alarm(): Promise<void> {
    const { zoneId } = this.#state.load();
    if (zoneId === null) return;
    // Armed before the work: an object that dies in the middle is woken again.
    await this.ctx.storage.setAlarm(Date.now() + FAILED_RETRY_MS);
    this.#wokenAt = null;
    const waitMs = wakeInMs(this.#lastRun());
    if (waitMs > 0) {
      await this.ctx.storage.setAlarm(Date.now() + waitMs);
      return;
    }
    const { zones, times } = dnsParts(this.env);
    const outlook = await zones.outlook(zoneId);
    // The zone was deleted.
    if (outlook === null) {
      await this.ctx.storage.deleteAlarm();
      await this.ctx.storage.deleteAll();
      return;
    }
    const outcome = await this.#run({ zoneId, kind: runKind(outlook, times) });
    if (outcome.kind === 'busy' || outcome.kind === 'lost') {
      await this.ctx.storage.setAlarm(Date.now() + BUSY_RETRY_MS);
      return;
    }
    await this.#arm();
  }

  /** Sets the alarm for the zone's next work, or for the time at which somebody wants a run. */
  async #arm(): Promise<void> {
    const { zoneId } = this.#state.load();
    if (zoneId === null) return;
    const { zones, times } = dnsParts(this.env);
    const outlook = await zones.outlook(zoneId);
    if (outlook === null) return;
    const at = Date.now() + nextRunInMs(outlook, this.#lastRun(), times);
    await this.ctx.storage.setAlarm(Math.min(at, this.#wokenAt ?? at));
  }

  /** One run at a time: the next one begins when the one before has ended. */
  async #run(wish: Omit<ReconcileRequest, 'holder' | 'signal'>): Promise<ReconcileOutcome> {
    while (this.#running !== null) await this.#running.catch(() => {});
    const { reconcile } = dnsParts(this.env);
    const holder = `worker ${this.ctx.id.toString().slice(0, 8)}`;
    const run = reconcileZone(reconcile, { ...wish, holder, signal: new AbortController().signal });
    this.#running = run;
    try {
      const outcome = await run;
      this.#remember(outcome);
      return outcome;
    } catch (error) {
      this.#remember(null);
      throw error;
    } finally {
      this.#running = null;
    }
  }

  /** @param outcome null: something went wrong here. */
  #remember(outcome: ReconcileOutcome | null): void {
    const state = this.#state.load();
    switch (outcome?.kind) {
      case 'idle':
      case 'busy':
        return;
      case 'ran': {
        const { status, error, providerCalls: calls } = outcome.run;
        const failures = status === 'failed' && error !== null ? state.failures + 1 : 0;
        this.#state.save({ ...state, calls, failures, ranAtMs: Date.now() });
        return;
      }
      case 'lost':
      case undefined:
        this.#state.save({ ...state, failures: state.failures + 1, ranAtMs: Date.now() });
    }
  }

  #lastRun(): LastRun {
    const { ranAtMs, calls, failures } = this.#state.load();
    return { agoMs: ranAtMs === null ? null : Math.max(0, Date.now() - ranAtMs), calls, failures };
  }
}
