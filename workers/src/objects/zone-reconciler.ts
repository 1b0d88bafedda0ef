import { DurableObject } from 'cloudflare:workers';
import { type ReconcileOutcome, type ReconcileRequest, reconcileZone } from '../dns-sync/reconcile-zone.ts';
import { nextRunAtMs, runKind, type ZoneOutlook } from '../dns-sync/zone-schedule.ts';
import type { Env } from '../env.ts';
import type { RunWish } from '../services/dns-ports.ts';
import { dnsParts } from './dns-parts.ts';
import { storedState, type StoredState } from './object-state.ts';

const SCHEMA_VERSION = 1;

/** A run that fails for a reason of ours is tried again after this time. */
const FAILED_RETRY_MS = 40_000;

/** A zone that another control plane works on is looked at again after this time. */
const BUSY_RETRY_MS = 5000;
const BUSY_TRIES_MAX = 4;

interface ZoneState {
  /** null: never woken. */
  zoneId: number | null;
  /** When the last run ended, milliseconds since 1970; null: there was none. */
  ranAtMs: number | null;
}

/** Owner of a zone's runs: one at a time here; the lease in Postgres keeps other control planes out. */
export class ZoneReconciler extends DurableObject<Env> {
  readonly #state: StoredState<ZoneState>;
  #running: Promise<ReconcileOutcome> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#state = storedState<ZoneState>(ctx.storage, SCHEMA_VERSION, { zoneId: null, ranAtMs: null });
  }

  /** Something is due: a run begins now, or as soon as the running one has ended. */
  async wake(zoneId: number): Promise<void> {
    this.#state.save({ ...this.#state.load(), zoneId });
    await this.ctx.storage.setAlarm(Date.now());
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
      if (tries === BUSY_TRIES_MAX) return null;
      await scheduler.wait(BUSY_RETRY_MS);
    }
  }

  override async alarm(): Promise<void> {
    const { zoneId } = this.#state.load();
    if (zoneId === null) return;
    // Armed before the work: an object that dies in the middle is woken again.
    await this.ctx.storage.setAlarm(Date.now() + FAILED_RETRY_MS);
    const { zones, times } = dnsParts(this.env);
    const fullPassAtMs = await zones.fullPassAtMs(zoneId);
    // The zone was deleted.
    if (fullPassAtMs === undefined) {
      await this.ctx.storage.deleteAlarm();
      await this.ctx.storage.deleteAll();
      return;
    }
    const kind = runKind({ nextDueAtMs: null, fullPassAtMs, ranAtMs: null }, Date.now(), times);
    const outcome = await this.#run({ zoneId, kind });
    if (outcome.kind === 'busy' || outcome.kind === 'lost') {
      await this.ctx.storage.setAlarm(Date.now() + BUSY_RETRY_MS);
      return;
    }
    await this.#arm();
  }

  /** Sets the alarm for the zone's next work; one that is earlier stays: somebody has woken the zone meanwhile. */
  async #arm(): Promise<void> {
    const { zoneId, ranAtMs } = this.#state.load();
    if (zoneId === null) return;
    const { zones, times } = dnsParts(this.env);
    const [nextDueAtMs, fullPassAtMs = null] = await Promise.all([
      zones.nextDueAtMs(zoneId),
      zones.fullPassAtMs(zoneId),
    ]);
    const outlook: ZoneOutlook = { nextDueAtMs, fullPassAtMs, ranAtMs };
    const at = nextRunAtMs(outlook, Date.now(), times);
    const armed = await this.ctx.storage.getAlarm();
    const isWoken = armed !== null && armed <= Date.now();
    if (!isWoken) await this.ctx.storage.setAlarm(at);
  }

  /** One run at a time: the next one begins when the one before has ended. */
  async #run(wish: Omit<ReconcileRequest, 'holder' | 'signal'>): Promise<ReconcileOutcome> {
    while (this.#running !== null) await this.#running.catch(() => {});
    const { reconcile } = dnsParts(this.env);
    const holder = `worker ${this.ctx.id.toString().slice(0, 8)}`;
    const run = reconcileZone(reconcile, { ...wish, holder, signal: new AbortController().signal });
    this.#running = run;
    try {
      return await run;
    } finally {
      this.#running = null;
      this.#state.save({ ...this.#state.load(), ranAtMs: Date.now() });
    }
  }
}
