import { randomBytes } from 'node:crypto';
import { openDatabase } from '@tunnox/db/client';
import { migrate } from '@tunnox/db/migrate';
import type { RecordType } from '@tunnox/dns-plan/record-type';
import type { DnsRecord, DnsRun } from '@tunnox/domain/api/dns';
import { CloudflareFake, type CloudflareCall } from '@tunnox/testing/cloudflare-fake';
import type { CloudflareZone, CloudflareZoneOptions } from '@tunnox/testing/cloudflare-fake-zone';
import { NeonGateway } from '@tunnox/gateways/neon-gateway';
import { Client } from 'pg';
import {
  type ReconcileDeps,
  type ReconcileOutcome,
  type ReconcileRequest,
  reconcileZone,
} from '../src/dns-sync/reconcile-zone.ts';
import { createZoneOpener, type ZoneOpenerDeps } from '../src/dns-sync/zone-opener.ts';
import type { FinishedRun, ZoneRunRepository } from '../src/dns-sync/zone-run-ports.ts';
import { createCredentialStore } from '../src/repositories/credential-store.ts';
import { createDnsRecordRepository } from '../src/repositories/dns-record-repository.ts';
import { createPostgres, type Postgres } from '../src/repositories/postgres.ts';
import { createZoneRunRepository } from '../src/repositories/zone-run-repository.ts';
import type { DnsRecordRepository } from '../src/services/dns-ports.ts';
import { createKeyedCipher } from '../src/services/keyed-cipher.ts';
import { sha256Hex } from '../src/services/random.ts';
import { startDatabase, type TestDatabase } from './test-database.ts';

const AUDIT = {
  actorType: 'system',
  actorId: null,
  requestId: null,
  action: 'test',
  before: null,
  after: null,
} as const;

/** The reconciler on a real Postgres, without a Worker around it, so that tests own its clock. */
export class DnsLab {
  readonly database: Client;
  readonly postgres: Postgres;
  readonly records: DnsRecordRepository;
  readonly cloudflare: CloudflareFake;
  /** Seconds by which the reconciler's clock is ahead. */
  aheadS = 0;
  readonly #server: TestDatabase;
  readonly #gateway: NeonGateway;
  readonly #cipher = createKeyedCipher([randomBytes(32)], 'dns-token');

  private constructor(parts: {
    server: TestDatabase;
    gateway: NeonGateway;
    database: Client;
    cloudflare: CloudflareFake;
  }) {
    this.#server = parts.server;
    this.#gateway = parts.gateway;
    this.database = parts.database;
    this.cloudflare = parts.cloudflare;
    const fetchEndpoint = `${parts.gateway.url}/sql`;
    this.postgres = createPostgres(openDatabase({ url: parts.server.url, fetchEndpoint }));
    this.records = createDnsRecordRepository(this.postgres);
  }

  static async start(): Promise<DnsLab> {
    const server = await startDatabase();
    await migrate({ url: server.url });
    const gateway = new NeonGateway(
      { log: { warn: () => {} } },
      { host: '127.0.0.1', port: 0, databaseUrl: server.url },
    );
    await gateway.start();
    const database = new Client({ connectionString: server.url });
    await database.connect();
    return new DnsLab({ server, gateway, database, cloudflare: await CloudflareFake.start() });
  }

  async stop(): Promise<void> {
    await this.database.end();
    await this.#gateway.stop();
    await this.#server.stop();
    await this.cloudflare.stop();
  }

  /** What a control plane has. @param change Parts in place of the usual ones. */
  plane(
    change: { zones?: (zones: ZoneRunRepository) => ZoneRunRepository; opener?: Partial<ZoneOpenerDeps> } = {},
  ): ReconcileDeps {
    const clock = { aheadS: () => this.aheadS };
    const zones = createZoneRunRepository(this.postgres, clock);
    const opener: ZoneOpenerDeps = {
      credentials: createCredentialStore(this.postgres, this.#cipher, clock),
      fetch,
      endpoints: { cloudflare: this.cloudflare.url },
      checkEndpoint: async () => {},
      ...change.opener,
    };
    return { zones: change.zones?.(zones) ?? zones, opener: createZoneOpener(opener), sha256Hex };
  }

  async credential(token = this.cloudflare.addToken()): Promise<number> {
    const sealed = await this.#cipher.encrypt(new TextEncoder().encode(token));
    const { rows } = await this.database.query<{ id: string }>(
      `insert into provider_credentials (name, provider, token_encrypted) values ('test', 'cloudflare', $1)
       returning credential_id as id`,
      [sealed],
    );
    return Number(rows[0]?.id);
  }

  /** A zone at Cloudflare, and its row. */
  async zone(
    domain: string,
    options: { credentialId?: number; policy?: string; cloudflare?: CloudflareZoneOptions } = {},
  ): Promise<LabZone> {
    const there = this.cloudflare.addZone(domain, options.cloudflare);
    const tag = randomBytes(6).toString('hex');
    const { rows } = await this.database.query<{ id: string }>(
      `insert into dns_zones (domain, credential_id, tag, policy) values ($1, $2, $3, $4) returning zone_id as id`,
      [domain, options.credentialId ?? (await this.credential()), tag, options.policy ?? 'sync'],
    );
    return new LabZone(this, { zoneId: Number(rows[0]?.id), domain, tag, there });
  }
}

/** One zone of a lab. */
export class LabZone {
  readonly zoneId: number;
  readonly domain: string;
  readonly tag: string;
  readonly there: CloudflareZone;
  readonly #lab: DnsLab;
  readonly #plane: ReconcileDeps;

  constructor(lab: DnsLab, parts: { zoneId: number; domain: string; tag: string; there: CloudflareZone }) {
    this.#lab = lab;
    this.#plane = lab.plane();
    this.zoneId = parts.zoneId;
    this.domain = parts.domain;
    this.tag = parts.tag;
    this.there = parts.there;
  }

  /** Wants a record. @param label Relative; `@` is the zone. */
  async want(
    label: string,
    value = '203.0.113.1',
    more: { type?: DnsRecord['type']; ownerType?: DnsRecord['owner_type']; ttl?: number } = {},
  ): Promise<number> {
    const { type = 'A', ownerType = 'manual', ttl = 300 } = more;
    const name = label === '@' ? this.domain : `${label}.${this.domain}`;
    const record = { zoneId: this.zoneId, type, name, value, ttl, proxied: null, ownerType, ownerId: null };
    const made = await this.#lab.records.create(record, 20_000, AUDIT);
    if (made.outcome !== 'done') throw new Error(`Cannot want ${name}: ${JSON.stringify(made)}`);
    return made.recordId;
  }

  /** Wants `count` records at once. */
  async wantMany(count: number, prefix = 'h', ownerType = 'manual'): Promise<void> {
    await this.#lab.database.query(
      `insert into domain_dns_records (zone_id, type, name, value, ttl, owner_type)
       select $1, 'A', $2 || i || '.' || $3, '10.0.' || (i / 256) || '.' || (i % 256), 300, $5 from generate_series(0, $4 - 1) i`,
      [this.zoneId, prefix, this.domain, count, ownerType],
    );
  }

  async unwant(...ids: number[]): Promise<void> {
    await this.#lab.records.markAbsent(ids, { kind: 'all' }, AUDIT);
  }

  async retry(id: number): Promise<void> {
    await this.#lab.records.retry(id, AUDIT);
  }

  reconcile(wish: Partial<ReconcileRequest> = {}, plane = this.#plane): Promise<ReconcileOutcome> {
    const signal = AbortSignal.timeout(300_000);
    return reconcileZone(plane, { zoneId: this.zoneId, holder: 'test', kind: 'due', signal, ...wish });
  }

  /** A run that nobody disturbs. */
  async run(kind: ReconcileRequest['kind'] = 'due', wish: Partial<ReconcileRequest> = {}): Promise<FinishedRun> {
    const outcome = await this.reconcile({ kind, ...wish });
    if (outcome.kind !== 'ran') throw new Error(`Cannot run: ${outcome.kind}`);
    return outcome.run;
  }

  async row(id: number): Promise<Row | undefined> {
    return (await this.rows()).find((row) => row.id === id);
  }

  async rows(): Promise<Row[]> {
    const { rows } = await this.#lab.database.query<Row>(
      `select record_id::int as id, name, type, value, status, desired_state, retry_count, last_error, last_error_code,
         provider_record_id, extract(epoch from next_retry_at - now())::float8 - $2 as due_in_s
       from domain_dns_records where zone_id = $1 order by record_id`,
      [this.zoneId, this.#lab.aheadS],
    );
    return rows;
  }

  async runs(): Promise<Pick<DnsRun, 'kind' | 'status' | 'error' | 'provider_calls'>[]> {
    const { rows } = await this.#lab.database.query<Pick<DnsRun, 'kind' | 'status' | 'error' | 'provider_calls'>>(
      'select kind, status, error, provider_calls from dns_runs where zone_id = $1 order by run_id',
      [this.zoneId],
    );
    return rows;
  }

  /** `type label value` of what is ours at Cloudflare, sorted. */
  ours(): string[] {
    return this.there.records
      .filter(({ comment }) => comment?.includes(`tunnox:${this.tag}`) === true)
      .map(({ type, name, content }) => `${type} ${name} ${content}`)
      .toSorted();
  }

  /** Calls of the zone's records since `calls` were last cleared. */
  calls(): CloudflareCall[] {
    return this.#lab.cloudflare.calls.filter(({ path }) => path.includes(this.there.id));
  }

  content(type: RecordType, value: string): string {
    return type === 'TXT' ? `"${value}"` : value;
  }
}

export interface Row {
  id: number;
  name: string;
  type: string;
  value: string;
  status: string;
  desired_state: string;
  retry_count: number;
  last_error: string | null;
  last_error_code: string | null;
  provider_record_id: string | null;
  /** By the reconciler's clock; null: not by itself. */
  due_in_s: number | null;
}
