import type { DomainSetupRepository, SetupDomain, SetupSeen } from './domain-setup-ports.ts';
import type { Log } from './node-ports.ts';
import type { SetupLooks } from './setup-looks.ts';

export interface SetupSweepDeps {
  setups: Pick<DomainSetupRepository, 'claimDue' | 'record'>;
  looks: Pick<SetupLooks, 'ourAddresses' | 'look'>;
  log: Log;
}

const BATCH = 50;
/** Of one sweep; the next one goes on. */
const BATCHES_MAX = 4;
const LOOKS_AT_ONCE = 10;
/** Others do not get what this one has taken for so long; also when a look could not be made. */
const LEASE_S = 300;
/** So many that fail one after another: nobody can be asked now. */
const FAILURES_MAX = 3;

/** Looks at custom domains whose time has come. */
export class SetupSweep {
  readonly #deps: SetupSweepDeps;

  constructor(deps: SetupSweepDeps) {
    this.#deps = deps;
  }

  async sweep(): Promise<void> {
    const { setups } = this.#deps;
    let ours: Set<string> | null = null;
    for (let batch = 0; batch < BATCHES_MAX; batch += 1) {
      const due = await setups.claimDue(BATCH, LEASE_S);
      if (due.length === 0) return;
      ours ??= await this.#ourAddresses();
      if (ours === null) return;
      if (!(await this.#lookAt(due, ours)) || due.length < BATCH) return;
    }
  }

  /** null: the resolver is away, and all looks wait. */
  async #ourAddresses(): Promise<Set<string> | null> {
    try {
      return await this.#deps.looks.ourAddresses();
    } catch (error) {
      this.#deps.log.warn({ err: String(error) }, 'Nobody could be asked where custom domains lead');
      return null;
    }
  }

  /** @returns false: the last looks have failed. */
  async #lookAt(due: SetupDomain[], ours: ReadonlySet<string>): Promise<boolean> {
    const { setups, looks, log } = this.#deps;
    const seen: { domainId: number; seen: SetupSeen }[] = [];
    const left = [...due];
    let failuresInARow = 0;
    const work = async (): Promise<void> => {
      for (let domain = left.shift(); domain !== undefined; domain = left.shift()) {
        if (failuresInARow >= FAILURES_MAX) return;
        try {
          seen.push({ domainId: domain.domainId, seen: await looks.look(domain, ours) });
          failuresInARow = 0;
        } catch (error) {
          failuresInARow += 1;
          log.warn({ err: String(error), domain_id: domain.domainId }, 'The DNS of a custom domain was not looked at');
        }
      }
    };
    await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, work));
    await setups.record(seen);
    return failuresInARow < FAILURES_MAX;
  }
}
