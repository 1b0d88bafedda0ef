import type { UsageAnswer, UsageRequest } from '@tunnox/domain/relay-api';
import type { Logger } from '@tunnox/observability/logger';
import type { Clock, Timer } from '../clock.ts';
import { ControlPlaneError } from './control-plane-error.ts';
import type { RelayApi } from './relay-api.ts';
import type { UsageSpool } from './usage-spool.ts';

type UsageEntry = UsageRequest['entries'][number];

/** Where the counts come from. */
export interface UsageSource {
  /** Everything that was counted since the last call. */
  takeUsage(): UsageEntry[];
  /** These entries have reached the control plane, which says what is left. */
  reported(entries: readonly UsageEntry[], answer: UsageAnswer): void;
  /** Users and anonymous clients of whom it shall say what is left though nothing was counted. */
  asking(): { user_ids: number[]; client_ids: number[] };
  /** Speeds that it shall know, in bytes a second, by user. */
  sharedSpeeds(): ReadonlyMap<number, number>;
}

export interface UsageReporterDeps {
  api: Pick<RelayApi, 'usage'>;
  source: UsageSource;
  spool: UsageSpool;
  clock: Clock;
  log: Logger;
}

const REPORT_MS = 60_000;
/** Reports that are asked for before their time come no faster than this. */
const REPORT_SOON_MS = 1000;
const ENTRIES_MAX = 1000;

/**
 * Reports counts every minute, at the month's turn, or sooner when asked. A report that was not confirmed goes to the spool and is sent
 * again, unchanged, before anything newer.
 */
export class UsageReporter {
  readonly #deps: UsageReporterDeps;
  readonly #incarnation: string;
  #sequence = 0;
  #takenAtMs: number;
  /** Users whose last speed was not 0. */
  #moving = new Set<number>();
  #timer: Timer | null = null;
  #dueAtMs = 0;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: UsageReporterDeps, incarnation: string) {
    this.#deps = deps;
    this.#incarnation = incarnation;
    this.#takenAtMs = deps.clock.now();
  }

  start(): void {
    if (this.#timer === null && !this.#stopped) this.#schedule(REPORT_SOON_MS);
  }

  /** Somebody's allowance is nearly used up, or the control plane is back: report before the time. */
  reportSoon(): void {
    if (this.#stopped || this.#timer === null) return;
    if (this.#dueAtMs - this.#deps.clock.now() > REPORT_SOON_MS) this.#schedule(REPORT_SOON_MS);
  }

  /** Reports what was counted until now; what cannot be sent stays in the spool. */
  async stop(): Promise<void> {
    if (this.#stopped) return this.#running;
    this.#stopped = true;
    this.#timer?.cancel();
    this.#running = this.#running.then(() => this.#report());
    return this.#running;
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    this.#dueAtMs = this.#deps.clock.now() + delayMs;
    this.#timer = this.#deps.clock.timer(delayMs, () => {
      this.#running = this.#running.then(() => this.#report());
      void this.#running.then(() => {
        if (!this.#stopped) this.#schedule(Math.min(REPORT_MS, msToNextMonth(this.#deps.clock.now())));
      });
    });
  }

  /** Never rejects. */
  async #report(): Promise<void> {
    const { source, clock } = this.#deps;
    const now = clock.now();
    const intervalMs = Math.max(1, Math.round(now - this.#takenAtMs));
    const taken = { taken_at: new Date(now).toISOString(), interval_ms: intervalMs };
    const entries = source.takeUsage();
    const shared = this.#speeds();
    const { user_ids, client_ids } = source.asking();
    this.#takenAtMs = now;
    let away = !(await this.#sendSpooled());
    const length = Math.max(...[entries, shared, user_ids, client_ids].map((list) => list.length));
    for (let at = 0; at < length; at += ENTRIES_MAX) {
      const part = <T>(list: readonly T[]): T[] => list.slice(at, at + ENTRIES_MAX);
      const counts = {
        incarnation: this.#incarnation,
        sequence: ++this.#sequence,
        ...taken,
        entries: part(entries),
      };
      const asking = { user_ids: part(user_ids), client_ids: part(client_ids) };
      away = away || !(await this.#send({ ...counts, shared: part(shared), asking }));
      // Questions are asked again by then.
      if (away && counts.entries.length > 0) await this.#keep(counts);
    }
  }

  /** Speeds of users who have only a share of their bandwidth here; one who has stopped is told once more. */
  #speeds(): NonNullable<UsageRequest['shared']> {
    const speeds = [...this.#deps.source.sharedSpeeds()].filter(
      ([userId, speed]) => speed > 0 || this.#moving.has(userId),
    );
    this.#moving = new Set(speeds.filter(([, speed]) => speed > 0).map(([userId]) => userId));
    return speeds.map(([user_id, bytes_per_s]) => ({ user_id, bytes_per_s }));
  }

  /** @returns false when the control plane is away */
  async #sendSpooled(): Promise<boolean> {
    const { spool, log } = this.#deps;
    try {
      for (let report = await spool.first(); report !== null; report = await spool.first()) {
        if (!(await this.#send(report))) return false;
        await spool.removeFirst();
      }
    } catch (error) {
      log.error({ err: error }, 'The spool in TUNNOX_STATE_DIR cannot be read: older counts wait');
    }
    return true;
  }

  async #keep(report: UsageRequest): Promise<void> {
    const { spool, log } = this.#deps;
    try {
      const givenUp = await spool.add(report);
      if (givenUp > 0) log.error({ reports: givenUp }, 'The spool is full: the oldest counts were given up');
    } catch (error) {
      log.error({ err: error, report }, 'The spool in TUNNOX_STATE_DIR cannot be written: these counts are lost');
    }
  }

  /** @returns false when it has to be sent again */
  async #send(report: UsageRequest): Promise<boolean> {
    const { api, source, log } = this.#deps;
    try {
      const answer = await api.usage(report);
      source.reported(report.incarnation === this.#incarnation ? report.entries : [], answer);
      return true;
    } catch (error) {
      if (!(error instanceof ControlPlaneError) || error.retryable) return false;
      log.error({ sequence: report.sequence }, `The control plane refuses a usage report: ${error.message}`);
      return true;
    }
  }
}

/** Until the next calendar month begins (UTC): its counts are not to be mixed with this one's. */
function msToNextMonth(nowMs: number): number {
  const now = new Date(nowMs);
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1) - nowMs;
}
