import type { OwnerRecordRepository } from './dns-owner-ports.ts';
import type { ZoneOwners } from './dns-ports.ts';
import type { Log } from './node-ports.ts';

export interface DnsOwnersDeps {
  records: OwnerRecordRepository;
  zones: Pick<ZoneOwners, 'wake'>;
  log: Log;
  /** Resolves after so many milliseconds. */
  pause: (ms: number) => Promise<void>;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** A relay that goes is held up no longer than this. */
const WITHDRAW_MS_MAX = 4000;
const LOOK_MS = 50;

/** Lets DNS records follow the relays and the domains that they belong to. */
export class DnsOwners {
  readonly #deps: DnsOwnersDeps;

  constructor(deps: DnsOwnersDeps) {
    this.#deps = deps;
  }

  /** A domain of the user has come or gone. What fails here is made good by the sweep. */
  async domainsChanged(userId: number | null): Promise<void> {
    const { records, log } = this.#deps;
    if (userId === null) return;
    try {
      if (!(await records.hasZones(userId))) return;
      await records.followDomains(userId);
      await records.followRelays();
      await this.#wake(await records.dueZones(userId));
    } catch (error) {
      log.warn({ err: String(error), user_id: userId }, 'The DNS records of domains could not be changed yet');
    }
  }

  /** A zone was connected or has other settings, a relay was removed: what follows is made now, not by the sweep. */
  async ownersChanged(): Promise<void> {
    await this.#followAll().catch((error: unknown) => {
      this.#deps.log.warn({ err: String(error) }, 'The DNS records of relays and domains could not be changed yet');
    });
  }

  /** Waits until the addresses of a relay that goes are out of the DNS. Its object has told everybody that it does. */
  async withdrawn(nodeId: string): Promise<'gone' | 'none' | 'pending'> {
    const { records, pause, now } = this.#deps;
    const end = now() + WITHDRAW_MS_MAX;
    for (let looks = 0; ; looks += 1) {
      const { left, failed } = await records.leaving(nodeId);
      if (left === 0) return looks === 0 ? 'none' : 'gone';
      if (left === failed || now() >= end) return 'pending';
      await pause(LOOK_MS);
    }
  }

  /** Heals what was missed, and removes what users have left who were deleted. */
  async sweep(): Promise<void> {
    const { records, log } = this.#deps;
    await this.#followAll();
    const doubted = await records.doubted();
    if (doubted.length > 0) {
      log.warn(
        { nodes: doubted, count: doubted.length },
        'Most relays seem dead at once: their DNS records stay until they come back, or for a quarter of an hour',
      );
    }
    for (const domain of await records.forgetUsers()) {
      log.info({ domain }, 'The zone of a deleted user was let go');
    }
  }

  async #followAll(): Promise<void> {
    const { records } = this.#deps;
    const zoneIds = [...(await records.followRelays()), ...(await records.followDomains(null))];
    await this.#wake([...new Set(zoneIds)]);
  }

  async #wake(zoneIds: readonly number[]): Promise<void> {
    await Promise.all(zoneIds.map((zoneId) => this.#deps.zones.wake(zoneId)));
  }
}
