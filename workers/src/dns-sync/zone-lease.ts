import type { LeasedZone, RowResult, ZoneRow, ZoneRunRepository } from './zone-run-ports.ts';

/** Longer than any single call of a provider, which ends after 10 s; extended before each. */
export const LEASE_S = 60;

/** Rows that one statement writes, and that are `running` at a time. */
export const CHUNK = 100;

/** The zone went to somebody else. */
export class LeaseLost extends Error {}

/** What a run writes under its lease: nothing once somebody else has the zone. */
export class ZoneLease {
  readonly zone: LeasedZone;
  readonly #zones: ZoneRunRepository;

  constructor(zones: ZoneRunRepository, zone: LeasedZone) {
    this.#zones = zones;
    this.zone = zone;
  }

  /** @throws {LeaseLost} */
  async keep(): Promise<void> {
    if (!(await this.#zones.extend(this.zone.zoneId, this.zone.fence, LEASE_S))) throw new LeaseLost();
  }

  /** @throws {LeaseLost} */
  async write(results: readonly RowResult[]): Promise<void> {
    const { zoneId, fence } = this.zone;
    for (let at = 0; at < results.length; at += CHUNK) {
      if (!(await this.#zones.write(zoneId, fence, results.slice(at, at + CHUNK)))) throw new LeaseLost();
    }
  }

  /** Puts rows into `running`. @returns Ids of those that are still as they were read. */
  async take(rows: readonly ZoneRow[]): Promise<ReadonlySet<number>> {
    if (rows.length === 0) return new Set();
    const { zoneId, fence } = this.zone;
    const wishes = rows.map(({ id, version }) => ({ recordId: id, version }));
    return new Set(await this.#zones.markRunning(zoneId, fence, wishes));
  }

  async note(facts: Parameters<ZoneRunRepository['noteZone']>[2]): Promise<void> {
    await this.#zones.noteZone(this.zone.zoneId, this.zone.fence, facts);
  }
}
