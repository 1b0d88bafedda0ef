import type { DnsPlanItem } from '@tunnox/domain/api/dns';
import type { DesiredRecord } from '@tunnox/dns-plan/plan';
import type { ZonePolicy } from '@tunnox/dns-plan/policy';
import type { ZoneProvider } from './zone-provider.ts';

/** A zone under a lease: nobody else works on it until `leaseUntilMs`, and late writes of others are refused. */
export interface LeasedZone {
  zoneId: number;
  domain: string;
  credentialId: number;
  /** null: to be found at the provider. */
  providerZoneId: string | null;
  tag: string;
  policy: ZonePolicy;
  guardShare: number;
  fence: number;
}

/** A row with what a run needs beside the wish. */
export interface ZoneRow extends DesiredRecord {
  /** Version of the wish as it was read. */
  version: number;
  retryCount: number;
  /** `never`: not by itself. */
  due: 'now' | 'later' | 'never';
  ownerType: string;
  ownerId: string | null;
}

/** What a run says of a row. */
export type RowResult = { recordId: number; version: number } & (
  | { kind: 'active'; providerRecordId: string }
  /** The provider has it no more: the row goes, unless it is wanted again. */
  | { kind: 'absent' }
  /** `dueInS` null: not by itself. */
  | { kind: 'failed'; code: string; message: string; retryCount: number; dueInS: number | null }
  /** Held back by policy or guard: looked at again later. */
  | { kind: 'held'; message: string; dueInS: number }
);

export interface NewRun {
  zoneId: number;
  kind: 'due' | 'full' | 'dry_run';
}

export interface FinishedRun {
  status: 'done' | 'partial' | 'failed' | 'refused';
  plan: DnsPlanItem[];
  counts: Record<string, number>;
  planHash: string | null;
  providerCalls: number;
  error: string | null;
}

/** What is to come in a zone, by the database's clock. */
export interface ZoneOutlook {
  /** Rows are due, or were left in `running` by a run that died. */
  isDue: boolean;
  /** Milliseconds until the next row is due, 0: now; null: none is. */
  nextDueInMs: number | null;
  /** Milliseconds since the last pass over the whole zone; null: there was none. */
  fullPassAgoMs: number | null;
}

/** Zones, rows and runs in Postgres. Every write of a run bears its fence, and does nothing under a newer one. */
export interface ZoneRunRepository {
  /** Takes the zone's lease, and takes back rows that a run which died has left in `running`. null: somebody has it. */
  take(zoneId: number, holder: string, leaseS: number): Promise<LeasedZone | null>;
  /** @returns false: it is lost. */
  extend(zoneId: number, fence: number, leaseS: number): Promise<boolean>;
  release(zoneId: number, fence: number): Promise<void>;
  /** Every row of the zone. */
  rows(zoneId: number): Promise<ZoneRow[]>;
  /** null: there is no such zone. */
  outlook(zoneId: number): Promise<ZoneOutlook | null>;
  /** Zones whose rows have been due for a while, or whose full pass is late: their alarm may be lost. */
  neglected(limit: number): Promise<number[]>;
  /** Puts rows into `running`, those that are still as they were read. @returns Their ids. */
  markRunning(zoneId: number, fence: number, rows: { recordId: number; version: number }[]): Promise<number[]>;
  /** @returns false: the lease is lost, nothing was written. */
  write(zoneId: number, fence: number, results: RowResult[]): Promise<boolean>;
  /** What is known of the zone at the provider. `error` null: it is well. */
  noteZone(
    zoneId: number,
    fence: number,
    facts: { providerZoneId?: string; error?: string | null; fullPass?: boolean },
  ): Promise<void>;
  startRun(run: NewRun): Promise<number>;
  finishRun(runId: number, run: FinishedRun): Promise<void>;
}

/** Opens zones at their providers. */
export interface ZoneOpener {
  /**
   * @returns The zone, its id at the provider, and how many calls were made so far.
   * @throws {ProviderError}
   */
  open(zone: LeasedZone, signal: AbortSignal): Promise<OpenedZone>;
}

export interface OpenedZone {
  provider: ZoneProvider;
  providerZoneId: string;
  calls(): number;
}
