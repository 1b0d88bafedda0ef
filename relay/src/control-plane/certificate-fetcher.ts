import type { CertificatesAnswer } from '@tunnox/domain/relay-api';
import type { Logger } from '@tunnox/observability/logger';
import type { Clock, Timer } from '../clock.ts';
import { Backoff } from './backoff.ts';
import { ControlPlaneError } from './control-plane-error.ts';

/** Where fetched certificates go. */
export interface CertificateSink {
  /** Each takes the place of its older version. */
  apply(certificates: CertificatesAnswer['certificates']): Promise<void>;
  /** There are these and no others. */
  retain(ids: ReadonlySet<number>): Promise<void>;
}

export interface CertificateFetcherDeps {
  api: { certificates: (since: number) => Promise<CertificatesAnswer> };
  certificates: CertificateSink;
  clock: Clock;
  /** 0 (included) to 1. */
  random: () => number;
  log: Logger;
}

export interface FetcherSnapshot {
  /** Of the last fetch, in seconds since 1970; null: none has succeeded. */
  fetchedAtS: number | null;
  failures: number;
  /** Why the last fetch failed; null: it did not. */
  lastError: string | null;
}

/** Somebody may have missed the message that there is something new. */
const POLL_MS = 180_000;
/** Relays that hear of it at the same moment do not all come at once. */
const SPREAD_MS = 200;
const BACKOFF = { firstMs: 2000, maxMs: POLL_MS };
/** So often everything is compared, in case the control plane's versions were set back. */
const WHOLE_MS = 24 * 3600_000;
/** More pages than there can be. */
const PAGES_MAX = 10_000;

/** Fetches certificates from the control plane: when it says so, and now and then. */
export class CertificateFetcher {
  readonly #deps: CertificateFetcherDeps;
  readonly #backoff: Backoff;
  #since = 0;
  #wholeAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;
  #running = false;
  #again = false;
  #stopped = true;
  #snapshot: FetcherSnapshot = { fetchedAtS: null, failures: 0, lastError: null };

  constructor(deps: CertificateFetcherDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff(deps.random, BACKOFF);
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    void this.#fetch();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** There may be something new. */
  soon(): void {
    this.#again = true;
    if (!this.#running) this.#later(this.#deps.random() * SPREAD_MS);
  }

  snapshot(): FetcherSnapshot {
    return this.#snapshot;
  }

  #later(delayMs: number): void {
    this.#timer?.cancel();
    if (!this.#stopped) this.#timer = this.#deps.clock.timer(delayMs, () => void this.#fetch());
  }

  async #fetch(): Promise<void> {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    this.#again = false;
    let delayMs: number;
    try {
      await this.#round();
      this.#backoff.reset();
      delayMs = POLL_MS * (0.8 + this.#deps.random() * 0.4);
      this.#snapshot = { ...this.#snapshot, fetchedAtS: this.#deps.clock.now() / 1000, lastError: null };
    } catch (error) {
      delayMs = this.#failed(error);
    } finally {
      this.#running = false;
    }
    this.#later(this.#again ? Math.min(delayMs, this.#deps.random() * SPREAD_MS) : delayMs);
  }

  async #round(): Promise<void> {
    const { api, certificates, clock } = this.#deps;
    const whole = clock.now() - this.#wholeAtMs >= WHOLE_MS;
    let since = whole ? 0 : this.#since;
    const seen = new Set<number>();
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const answer = await api.certificates(since);
      if (this.#stopped) return;
      await certificates.apply(answer.certificates);
      for (const { certificate_id, chain } of answer.certificates) if (chain !== null) seen.add(certificate_id);
      if (answer.more && answer.version <= since) throw new Error('The control plane sends the same page again');
      since = answer.version;
      if (!answer.more) break;
    }
    if (whole) {
      await certificates.retain(seen);
      this.#wholeAtMs = clock.now();
    }
    this.#since = since;
  }

  #failed(error: unknown): number {
    // A control plane of 0.1 delivers none.
    if (error instanceof ControlPlaneError && error.status === 404) return POLL_MS;
    const { log } = this.#deps;
    const lastError = error instanceof Error ? error.message : String(error);
    this.#snapshot = { ...this.#snapshot, failures: this.#snapshot.failures + 1, lastError };
    log.warn({ reason: lastError }, 'Certificates could not be fetched: those that are here go on being served');
    return this.#backoff.nextMs();
  }
}
