import type { Log } from '../services/node-ports.ts';
import { advanceCertificate, type AdvanceDeps, type AdvanceOptions } from './advance-certificate.ts';
import type { CertificateJob, CertificateJobRepository, StepResult } from './certificate-ports.ts';
import type { CertificateWants } from './certificate-worker-ports.ts';

export interface CertificateRunnerDeps {
  advance: AdvanceDeps;
  jobs: CertificateJobRepository;
  wants: CertificateWants;
  /** Relays have something to fetch. What fails is made good by their next look. */
  tellRelays: (version: number) => Promise<void>;
  log: Log;
  /** Milliseconds since 1970. */
  now: () => number;
}

export interface CertificateRunnerOptions extends AdvanceOptions {
  baseDomains: readonly string[];
  /** Whose leases these are: nobody else's name. */
  holder: string;
}

/** Longer than the calls of any step take that all time out. */
const LEASE_S = 180;
/** Calls of one step wait for one another; as many connections as a Worker has at once. */
const STEPS_AT_ONCE = 6;
/** An alarm may run for a quarter of an hour, and make a thousand calls; a step makes up to fifteen. */
const RUN_MS_MAX = 5 * 60_000;
const STEPS_MAX = 60;
/** So often it is looked at what is wanted, unless somebody knows of a change. */
const SETTLE_MS = 60_000;
/** What fails for a reason of ours is tried again after this. */
const FAULT_RETRY_S = 120;

/** Takes the steps that are due, several at a time. */
export class CertificateRunner {
  readonly #deps: CertificateRunnerDeps;
  readonly #options: CertificateRunnerOptions;
  #settledAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: CertificateRunnerDeps, options: CertificateRunnerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Takes steps until none is due.
   *
   * @param changed What is wanted may have changed.
   * @returns When the next one is due, milliseconds since 1970; null: never.
   */
  async run(changed: boolean): Promise<number | null> {
    const { jobs, wants, now } = this.#deps;
    const { holder, baseDomains } = this.#options;
    const beganMs = now();
    if (changed || beganMs - this.#settledAtMs >= SETTLE_MS) {
      await wants.settle(baseDomains);
      this.#settledAtMs = beganMs;
    }
    for (let steps = 0; steps < STEPS_MAX && now() - beganMs < RUN_MS_MAX; steps += STEPS_AT_ONCE) {
      const due = await jobs.takeDue(holder, LEASE_S, STEPS_AT_ONCE);
      await Promise.all(due.map((job) => this.#step(job)));
      if (due.length < STEPS_AT_ONCE) break;
    }
    return await jobs.nextDueAtMs();
  }

  async #step(job: CertificateJob): Promise<void> {
    const { advance, jobs, log, tellRelays } = this.#deps;
    const { certificateId, names } = job;
    const about = { certificate_id: certificateId, names };
    let result: StepResult;
    try {
      result = await advanceCertificate(advance, this.#options, job);
    } catch (error) {
      log.error({ ...about, err: String(error) }, 'A step of a certificate failed');
      result = this.#afterFault(job);
    }
    let version: number | null;
    try {
      version = await jobs.save(certificateId, this.#options.holder, result);
      if (version === null) {
        return log.warn(about, 'Another Worker has taken a step of a certificate meanwhile');
      }
    } catch (error) {
      // The lease ends, and whoever takes it then repeats the step.
      return log.warn({ ...about, err: String(error) }, 'A step of a certificate could not be written down');
    }
    switch (result.kind) {
      case 'issued':
        log.info({ ...about, not_after: result.notAfter.toISOString() }, 'A certificate was issued');
        return await tellRelays(version).catch((error: unknown) => {
          log.warn(
            { ...about, err: String(error) },
            'Relays could not be told of a certificate: they look by themselves',
          );
        });
      case 'failed':
        return log.warn({ ...about, reason: result.message, retry_in_s: result.inS }, 'A certificate was not issued');
      case 'going':
      case 'held':
        return undefined;
    }
  }

  #afterFault({ order, nextKeyEncrypted }: CertificateJob): StepResult {
    const message = 'Something went wrong in the control plane: it is tried again';
    if (order === null) return { kind: 'held', message, inS: FAULT_RETRY_S };
    const state = order.proofs === null ? 'ordering' : order.finalized ? 'finalizing' : 'validating';
    return { kind: 'going', state, order, nextKeyEncrypted, inS: FAULT_RETRY_S, message };
  }
}
