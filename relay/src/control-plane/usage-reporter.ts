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
  reported(entries: readonly UsageEntry[], allowances: UsageAnswer['allowances']): void;
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
 * Reports counts every minute, or sooner when asked. A report that was not confirmed goes to the spool and is sent
 * again, unchanged, before anything newer.
 */
export class UsageReporter {
  readonly #deps: UsageReporterDeps;
  readonly #incarnation: string;
  #sequence = 0;
  #takenAtMs: number;
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
        if (!this.#stopped) this.#schedule(REPORT_MS);
      });
    });
  }

  /** Never rejects. */
  async #report(): Promise<void> {
    const entries = this.#deps.source.takeUsage();
    const now = this.#deps.clock.now();
    const taken = {
      taken_at: new Date(now).toISOString(),
      interval_ms: Math.max(1, Math.round(now - this.#takenAtMs)),
    };
    this.#takenAtMs = now;
    let away = !(await this.#sendSpooled());
    for (let at = 0; at < entries.length; at += ENTRIES_MAX) {
      const report = {
        incarnation: this.#incarnation,
        sequence: ++this.#sequence,
        ...taken,
        entries: entries.slice(at, at + ENTRIES_MAX),
      };
      away = away || !(await this.#send(report));
      if (away) await this.#keep(report);
    }
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
      const { allowances } = await api.usage(report);
      source.reported(report.incarnation === this.#incarnation ? report.entries : [], allowances);
      return true;
    } catch (error) {
      if (!(error instanceof ControlPlaneError) || error.retryable) return false;
      log.error({ sequence: report.sequence }, `The control plane refuses a usage report: ${error.message}`);
      return true;
    }
  }
}
