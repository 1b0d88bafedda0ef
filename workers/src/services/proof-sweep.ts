import type { ChangeTeller } from './change-teller.ts';
import type { DomainProofRepository, ProofLook, ProvableDomain } from './domain-proof-ports.ts';
import type { Log } from './node-ports.ts';
import { type ProofLooks, systemAudit } from './proof-looks.ts';

export interface ProofSweepDeps {
  proofs: Pick<DomainProofRepository, 'claimDue' | 'record' | 'postpone'>;
  looks: ProofLooks;
  teller: ChangeTeller;
  log: Log;
}

/** Domains that a sweep takes at once, and how often; two queries each stay below what a Worker may send in one run. */
const BATCH = 50;
const BATCHES_MAX = 4;
/** Two queries each: as many connections as a Worker has at once. */
const LOOKS_AT_ONCE = 3;
/** Longer than a batch takes at a resolver that times out each time. */
const LEASE_S = 300;
/** So many looks in a row that fail end a sweep: the resolver is away … */
const FAILURES_MAX = 3;
/** … and their domains wait for this. */
const RETRY_S = 300;

/** Looks for the proofs whose time has come. */
export class ProofSweep {
  readonly #deps: ProofSweepDeps;

  constructor(deps: ProofSweepDeps) {
    this.#deps = deps;
  }

  async sweep(): Promise<void> {
    for (let batch = 0; batch < BATCHES_MAX; batch += 1) {
      const due = await this.#deps.proofs.claimDue(BATCH, LEASE_S);
      const wentWell = await this.#lookAt(due);
      if (!wentWell || due.length < BATCH) return;
    }
  }

  /** @returns false: the last looks have failed. */
  async #lookAt(due: ProvableDomain[]): Promise<boolean> {
    const { looks, proofs, teller, log } = this.#deps;
    const seen: ProofLook[] = [];
    const failed: number[] = [];
    const left = [...due];
    let failuresInARow = 0;
    const work = async (): Promise<void> => {
      for (let domain = left.shift(); domain !== undefined; domain = left.shift()) {
        if (failuresInARow >= FAILURES_MAX) {
          failed.push(domain.domainId);
          continue;
        }
        try {
          const look = await looks.look(domain);
          const settled = await looks.settle(domain, look, systemAudit);
          if ('outboxIds' in settled) await teller.onItsWay(settled.outboxIds);
          else seen.push({ domain, finding: look.finding });
          failuresInARow = 0;
        } catch (error) {
          failuresInARow += 1;
          failed.push(domain.domainId);
          log.warn({ err: String(error), domain_id: domain.domainId }, 'A proof could not be looked for');
        }
      }
    };
    await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, work));
    await proofs.record(seen);
    await proofs.postpone(failed, RETRY_S);
    return failuresInARow < FAILURES_MAX;
  }
}
