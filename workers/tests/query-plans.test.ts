import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { migrate } from '@tunnox/db/migrate';
import type { SQL } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { createApiKeyRepository } from '../src/repositories/api-key-repository.ts';
import { createAuditRepository } from '../src/repositories/audit-repository.ts';
import { createBindingRepository } from '../src/repositories/binding-repository.ts';
import { createClaimRepository } from '../src/repositories/claim-repository.ts';
import { createClientRepository } from '../src/repositories/client-repository.ts';
import { createConnectionRepository } from '../src/repositories/connection-repository.ts';
import { createDomainRepository } from '../src/repositories/domain-repository.ts';
import { createLoginRepository } from '../src/repositories/login-repository.ts';
import { createMappingRepository } from '../src/repositories/mapping-repository.ts';
import { createNamespaceRepository } from '../src/repositories/namespace-repository.ts';
import { createPolicyRepository } from '../src/repositories/policy-repository.ts';
import type { Postgres } from '../src/repositories/postgres.ts';
import { createReservedNameRepository } from '../src/repositories/reserved-name-repository.ts';
import { createRouteRepository } from '../src/repositories/route-repository.ts';
import { createStatsRepository } from '../src/repositories/stats-repository.ts';
import { createSweepRepository } from '../src/repositories/sweep-repository.ts';
import { createUserRepository } from '../src/repositories/user-repository.ts';
import type { AuditEntry } from '../src/services/audit.ts';
import type { DomainRecord, MappingRecord } from '../src/services/binding-ports.ts';
import type { ClientRecord } from '../src/services/client-ports.ts';
import type { Tenant } from '../src/services/principal.ts';
import { startDatabase, type TestDatabase } from './test-database.ts';

/** Rows of every large table, and how many of them are the tenant's. */
const ROWS = 100_000;
const OWN = 100;
/** What a list or a look-up of a tenant may read: a few times what it has, far below what there is. */
const READ_MAX = 2_500;

const TENANT_ID = 100_000_001;
const CLIENT_ID = 600_000_001;
const TEAM_IDS = [1, 2, 3];

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  Plans?: PlanNode[];
}

/** One statement that was run, and how many rows its most greedy step has read. */
interface Ran {
  text: string;
  counts: boolean;
  read: number;
  worst: string;
}

const ENTRY: AuditEntry = {
  ...{ actorType: 'operator', actorId: null, requestId: 'r', action: 'test', before: null, after: null },
};

const page = { limit: 20, offset: 0, after: null };
const far = { limit: 20, offset: 0, after: 50 };
const newest = { limit: 20, offset: 0, before: null };

describe('with 100 000 rows of everything, no list and no look-up reads a table', () => {
  let database: TestDatabase;
  let client: pg.Client;
  const ran: Ran[] = [];

  before(async () => {
    database = await startDatabase();
    await migrate({ url: database.url });
    pg.types.setTypeParser(pg.types.builtins.INT8, Number);
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    for (const statement of SEED) await client.query(statement);
    await client.query('vacuum analyze');
  });
  after(async () => {
    await client.end();
    await database.stop();
  });

  const dialect = new PgDialect();
  async function explain(statement: SQL): Promise<void> {
    const { sql: text, params } = dialect.sqlToQuery(statement);
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `explain (analyze, format json) ${text}`,
      params,
    );
    const steps = nodesOf(rows[0]?.['QUERY PLAN'][0].Plan ?? assert.fail());
    const [worst] = steps.sort((a, b) => readOf(b) - readOf(a));
    ran.push({
      text,
      counts: /^\s*select count\(\*\) as total/.test(text),
      read: worst === undefined ? 0 : readOf(worst),
      worst: `${worst?.['Node Type']} ${worst?.['Relation Name'] ?? ''}`,
    });
  }
  const postgres: Postgres = {
    query: async <Row>(statement: SQL) => {
      await explain(statement);
      const { sql: text, params } = dialect.sqlToQuery(statement);
      return (await client.query(text, params)).rows as Row[];
    },
    // Done by being explained, and taken back: the next call finds everything as it was.
    transaction: async (...statements) => {
      await client.query('begin');
      try {
        for (const statement of statements) await explain(statement);
      } finally {
        await client.query('rollback');
      }
      return [];
    },
  };

  /** What the statements of a call have read. */
  async function reads(work: () => Promise<unknown>): Promise<Ran[]> {
    ran.length = 0;
    await work();
    assert.ok(ran.length > 0);
    return [...ran];
  }

  const users = createUserRepository(postgres);
  const clients = createClientRepository(postgres);
  const mappings = createMappingRepository(postgres);
  const domains = createDomainRepository(postgres);
  const routes = createRouteRepository(postgres);
  const namespaces = createNamespaceRepository(postgres);
  const audit = createAuditRepository(postgres);
  const connections = createConnectionRepository(postgres);
  const stats = createStatsRepository(postgres);
  const reservedNames = createReservedNameRepository(postgres);
  const bindings = createBindingRepository(postgres);
  const policies = createPolicyRepository(
    postgres,
    { encrypt: async () => '', decrypt: async () => new Uint8Array(32) },
    { http: 'http://{host}', https: 'https://{host}' },
  );

  const TENANTS: Record<string, Tenant> = {
    'a user': { kind: 'user', userId: TENANT_ID, namespaceIds: [] },
    'a user with teams': { kind: 'user', userId: TENANT_ID, namespaceIds: TEAM_IDS },
    'a user with nothing': { kind: 'user', userId: TENANT_ID + 99_999_999, namespaceIds: [] },
    'an agent': { kind: 'client', clientId: CLIENT_ID },
  };

  const none = {
    ...{ userId: undefined, action: undefined, objectType: undefined, objectId: undefined },
    ...{ requestId: undefined, from: undefined, to: undefined },
  };
  const log = { bindingIds: [], clientId: undefined, userId: undefined, from: undefined, to: undefined };
  const month = { step: 'day', fromMs: Date.parse('2026-01-01'), toMs: Date.parse('2026-12-31') } as const;

  for (const [name, tenant] of Object.entries(TENANTS)) {
    test(`for ${name}`, async (t) => {
      const calls: Record<string, () => Promise<unknown>> = {
        'clients.list': () => clients.list({}, tenant, page),
        'clients.list after': () => clients.list({}, tenant, { ...far, after: CLIENT_ID + 50 }),
        'clients.list q': () => clients.list({ q: 'nothing has this' }, tenant, page),
        'clients.list status': () => clients.list({ status: 'suspended', type: 'managed' }, tenant, page),
        'clients.list user': () => clients.list({ userId: TENANT_ID }, tenant, page),
        'clients.list namespace': () => clients.list({ namespaceId: 2 }, tenant, page),
        'clients.find': () => clients.find(CLIENT_ID, tenant),
        'mappings.list': () => mappings.list({}, tenant, page),
        'mappings.list after': () => mappings.list({}, tenant, far),
        'mappings.list client': () => mappings.list({ clientId: CLIENT_ID }, tenant, page),
        'mappings.list protocol': () => mappings.list({ protocol: 'socks5' }, tenant, page),
        'mappings.list namespace': () => mappings.list({ namespaceId: 2 }, tenant, page),
        'mappings.find': () => mappings.find(1001, tenant),
        'domains.list': () => domains.list({}, tenant, page),
        'domains.list after': () => domains.list({}, tenant, far),
        'domains.list client': () => domains.list({ clientId: CLIENT_ID }, tenant, page),
        'domains.list namespace': () => domains.list({ namespaceId: 2 }, tenant, page),
        'domains.find': () => domains.find(1, tenant),
        'routes.list': () => routes.list(tenant, { ...page, after: null, counted: true }),
        'routes.list after': () => routes.list(tenant, { ...page, after: 'n50', counted: false }),
        'routes.find': () => routes.find(tenant, 'n1.tunnox.example'),
        'routes.find port': () => routes.find(tenant, 'tcp:default:1024'),
        // Of teams at once: how far back it looks for a page is the planner's choice.
        ...(tenant.kind === 'user' && tenant.namespaceIds.length > 0
          ? {}
          : { 'connections.list': () => connections.list(log, tenant, newest) }),
        'connections.list client': () => connections.list({ ...log, clientId: CLIENT_ID }, tenant, newest),
        'connections.list binding': () => connections.list({ ...log, bindingIds: ['mapping:1001'] }, tenant, newest),
        'connections.list from': () =>
          connections.list({ ...log, from: '2026-06-01T00:00:00Z', to: '2026-06-01T01:00:00Z' }, tenant, newest),
        'stats.client': () => stats.client(CLIENT_ID, tenant),
        'stats.mapping': () => stats.mapping(1001, tenant),
        'stats.domain': () => stats.domain(1, tenant),
      };
      await assertModest(t, calls);
    });
  }

  test('for whoever logs in, is counted, has keys, teams and logs', async (t) => {
    await assertModest(t, {
      'users.find': () => users.find(TENANT_ID),
      'users.quota': () => users.quota(TENANT_ID),
      'logins.findAccount': () => createLoginRepository(postgres).findAccount('USER7', '192.0.2.1'),
      'logins.findAccount e-mail': () => createLoginRepository(postgres).findAccount('u7@Customer.example', null),
      'logins.authenticate': () => createLoginRepository(postgres).authenticate({ userId: TENANT_ID, family: 'f1' }),
      'apiKeys.authenticate': () => createApiKeyRepository(postgres).authenticate('h1'),
      'apiKeys.list': () => createApiKeyRepository(postgres).list(TENANT_ID, page),
      'namespaces.find': () => namespaces.find(1),
      'namespaces.list': () => namespaces.list({ ids: TEAM_IDS }, page),
      'namespaces.list of an owner': () => namespaces.list({ userId: TENANT_ID }, page),
      'namespaces.members': () => namespaces.members(1, page),
      'stats.user': () => stats.user(TENANT_ID, [CLIENT_ID]),
      'stats.user by sessions': () => stats.user(TENANT_ID, null),
      'stats.clientIdsOf': () => stats.clientIdsOf(TENANT_ID, 500),
      'stats.series user': () => stats.series({ kind: 'user', userId: TENANT_ID }, month),
      'stats.series client': () => stats.series({ kind: 'client', clientId: CLIENT_ID }, month),
      'stats.series binding': () => stats.series({ kind: 'binding', bindingId: 'mapping:1001' }, month),
      'stats.series system': () => stats.series({ kind: 'system' }, month),
      'audit.list': () => audit.list({ ...none, userId: TENANT_ID }, newest),
      'audit.list action': () => audit.list({ ...none, userId: TENANT_ID, action: 'nothing.such' }, newest),
      'audit.list object': () => audit.list({ ...none, objectType: 'client', objectId: '600000001' }, newest),
      'audit.list request': () => audit.list({ ...none, userId: TENANT_ID, requestId: 'r5' }, newest),
      'audit.list time': () =>
        audit.list({ ...none, from: '2026-06-01T00:00:00Z', to: '2026-06-01T00:10:00Z' }, newest),
      'audit.after': () => audit.after({ ...none, userId: TENANT_ID }, 50, 200),
      'domains.holder': () => domains.holder('n7.tunnox.example'),
      'domains.reservation': () => domains.reservation('n7.tunnox.example', 'n7', TENANT_ID),
      'bindings.load': () => bindings.load('mapping:1001'),
      'bindings.load domain': () => bindings.load('domain:1'),
      'bindings.loadByEndpoint': () => bindings.loadByEndpoint('n7.tunnox.example'),
      'bindings.loadByEndpoint port': () => bindings.loadByEndpoint('tcp:default:1024'),
      'policies.loadStandings': () => policies.loadStandings([CLIENT_ID, CLIENT_ID + 1]),
      'policies.loadPolicies': () => policies.loadPolicies([CLIENT_ID, CLIENT_ID + 1]),
    });
  });

  test('for whoever changes something', async (t) => {
    const clientRow = { client_id: CLIENT_ID, user_id: TENANT_ID } as ClientRecord;
    const mappingRow = {
      ...{
        mapping_id: 1001,
        user_id: TENANT_ID,
        namespace_id: null,
        source_client_id: null,
        target_client_id: CLIENT_ID,
      },
      ...{ relay_group: 'default', protocol: 'tcp' },
    } as MappingRecord;
    const domainRow = { domain_id: 1, user_id: TENANT_ID, namespace_id: null, client_id: CLIENT_ID } as DomainRecord;
    const upstreams = [{ client_id: CLIENT_ID, weight: 1, priority: 0 }];
    const access = { allow: [], deny: [] };
    const owned = { userId: TENANT_ID, namespaceId: null, upstreams, enabled: true, access };
    const target = { targetHost: 'localhost', targetPort: 80 };
    const claims = createClaimRepository(postgres);
    await assertModest(t, {
      'clients.create': () =>
        clients.create({ userId: TENANT_ID, namespaceId: null, name: 'x', description: '', authCodeHash: 'x' }, ENTRY),
      'clients.update': () => clients.update(clientRow, { enabled: false }, ENTRY, null),
      'clients.rotateCode': () => clients.rotateCode(clientRow, 'x', ENTRY, null),
      'clients.remove': () => clients.remove(clientRow, ENTRY, null),
      'claims.claim': () =>
        claims.claim(
          {
            ...{ anonymousId: 200_000_001, authCodeHash: 'x', userId: TENANT_ID, namespaceId: null },
            ...{ newAuthCodeHash: 'y', name: 'x', handoverEncrypted: 'x' },
          },
          { old: ENTRY, made: ENTRY },
        ),
      'mappings.create': () =>
        mappings.create(
          {
            ...{ ...owned, ...target, kind: 'private', name: '', protocol: 'tcp' },
            ...{ sourceClientId: CLIENT_ID + 1, localPort: 80, secretEncrypted: 'x' },
          },
          ENTRY,
        ),
      'mappings.update': () => mappings.update(mappingRow, { enabled: false }, ENTRY, null),
      'mappings.remove': () => mappings.remove(mappingRow, ENTRY, null),
      'domains.create': () =>
        domains.create(
          {
            ...{ ...owned, ...target, clientId: CLIENT_ID, fullDomain: 'new.tunnox.example', verified: true },
            ...{ under: { subdomain: 'new', baseDomain: 'tunnox.example' }, proofToken: null, targetScheme: 'http' },
            ...{ hostHeader: null, tlsMode: 'terminate' },
          },
          ENTRY,
        ),
      'domains.update': () => domains.update(domainRow, { enabled: false }, ENTRY, null),
      'domains.remove': () => domains.remove(domainRow, ENTRY, null),
      'users.update': () => users.update(TENANT_ID, { status: 'disabled' }, ENTRY, null),
      'users.setQuota': () => users.setQuota(TENANT_ID, { max_clients: 5 }, ENTRY, null),
      'users.remove': () => users.remove(TENANT_ID, ENTRY, null),
      'namespaces.remove': () => namespaces.remove(1, ENTRY, null),
      'sweep of clients': () => createSweepRepository(postgres).removeExpiredClients(),
    });
  });

  test('for operators: pages are read alone, also when nothing is filtered; only totals count', async (t) => {
    const all: Tenant = { kind: 'all' };
    await assertModest(
      t,
      {
        'users.list': () => users.list({ status: undefined }, page),
        'users.list after': () => users.list({ status: 'active' }, { ...far, after: TENANT_ID + 50_000 }),
        'users.list disabled': () => users.list({ status: 'disabled' }, page),
        'clients.list': () => clients.list({}, all, page),
        'clients.list after': () => clients.list({}, all, { ...far, after: CLIENT_ID + 50_000 }),
        'clients.list user': () => clients.list({ userId: TENANT_ID + 7 }, all, page),
        'mappings.list': () => mappings.list({}, all, page),
        'mappings.list user': () => mappings.list({ userId: TENANT_ID + 7 }, all, page),
        'mappings.list client': () => mappings.list({ clientId: CLIENT_ID + 7000 }, all, page),
        'domains.list': () => domains.list({}, all, page),
        'domains.list client': () => domains.list({ clientId: CLIENT_ID + 7000 }, all, page),
        'routes.list': () => routes.list(all, { ...page, after: 'n5', counted: false }),
        'namespaces.list': () => namespaces.list({}, page),
        'reservedNames.list': () => reservedNames.list(page),
        'reservedNames.list after': () => reservedNames.list({ ...page, after: 'r5' }),
        'connections.list': () => connections.list(log, all, newest),
        'audit.list': () => audit.list(none, newest),
        'audit.after': () => audit.after(none, 50_000, 200),
      },
      { totals: true },
    );
  });

  /** @param options.totals Statements that only count may read all of what they count. */
  async function assertModest(
    t: { diagnostic: (text: string) => void },
    calls: Record<string, () => Promise<unknown>>,
    options: { totals?: boolean } = {},
  ): Promise<void> {
    const faults: string[] = [];
    for (const [name, call] of Object.entries(calls)) {
      for (const { text, counts, read, worst } of await reads(call)) {
        if (read <= READ_MAX || (counts && options.totals === true)) continue;
        faults.push(`${name}: ${worst} reads ${read} rows\n${text}`);
      }
    }
    t.diagnostic(`${Object.keys(calls).length} calls`);
    assert.deepEqual(faults, []);
  }
});

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

function readOf(node: PlanNode): number {
  const passed = node['Rows Removed by Filter'] ?? 0;
  return (node['Actual Rows'] + passed + (node['Rows Removed by Index Recheck'] ?? 0)) * node['Actual Loops'];
}

/** Everybody has one of each, the tenant `OWN`; teams have a share. */
const SEED = [
  `insert into users (user_id, username, email, password_hash, plan, status)
     select 100000000 + n, 'user' || n, 'u' || n || '@customer.example', 'x', 'enterprise',
       case when n % 1000 = 0 then 'disabled' else 'active' end from generate_series(1, ${ROWS}) n`,
  `insert into namespaces (user_id, name) select 100000000 + n, 'team' from generate_series(1, 1000) n`,
  `insert into memberships (namespace_id, user_id, role)
     select namespace_id, user_id, 'owner' from namespaces
     union all select n, 100000001, 'member' from generate_series(2, 3) n
     union all select 5 + n % 900, 100002000 + n, 'member' from generate_series(1, ${ROWS} - 2000) n`,
  `insert into api_keys (user_id, name, prefix, hash, scopes)
     select 100000000 + n, 'key', 'tnx_live_x', 'h' || n, '{read,write}' from generate_series(1, ${ROWS}) n`,
  `insert into refresh_tokens (jti, family, user_id, expires_at)
     select 'j' || n, 'f' || n, 100000000 + n, now() + interval '1 day' from generate_series(1, ${ROWS}) n`,
  `insert into clients (client_id, user_id, namespace_id, type, auth_code_hash, name)
     select 600000000 + n, 100000000 + case when n <= ${OWN} then 1 when n % 1000 = 2 then 2 else n end,
       case when n % 1000 = 2 then 2 end, 'managed', 'x', 'client' || n from generate_series(1, ${ROWS}) n`,
  `insert into port_mappings (mapping_id, user_id, namespace_id, source_client_id, protocol, local_port, relay_group,
       remote_port, target_host, target_port, secret_encrypted)
     select 1000 + n, c.user_id, c.namespace_id, case when n > 60000 then 600000000 + n - 1 end, 'tcp',
       case when n > 60000 then 5000 end, case when n <= 60000 then 'default' end,
       case when n <= 60000 then 1023 + n end, 'localhost', 80, case when n > 60000 then 'x' end
     from generate_series(1, ${ROWS}) n join clients c on c.client_id = 600000000 + n`,
  `insert into http_domain_mappings (user_id, namespace_id, full_domain, subdomain, base_domain, verification_state,
       target_host, target_port)
     select c.user_id, c.namespace_id, 'n' || n || '.tunnox.example', 'n' || n, 'tunnox.example', 'verified', 'localhost', 80
     from generate_series(1, ${ROWS}) n join clients c on c.client_id = 600000000 + n order by n`,
  `insert into endpoint_upstreams (mapping_id, client_id) select 1000 + n, 600000000 + n from generate_series(1, ${ROWS}) n`,
  `insert into endpoint_upstreams (domain_id, client_id) select n, 600000000 + n from generate_series(1, ${ROWS}) n`,
  `insert into client_sessions (client_id, instance_id, connect_seq, node_id, incarnation, attached_at, detached_at)
     select 600000000 + n, 'i' || n, 1, 'node-001', 'run', now() - interval '1 hour', case when n % 2 = 0 then now() end
     from generate_series(1, ${ROWS}) n`,
  `insert into connection_log (tunnel_id, node_id, binding_id, client_id, user_id, namespace_id, visitor, started_at,
       duration_ms, bytes_in, bytes_out, close_reason)
     select 't' || n, 'node-001', 'mapping:' || 1000 + n, c.client_id, c.user_id, c.namespace_id, '192.0.2.1',
       '2026-01-01T00:00:00Z'::timestamptz + n * interval '5 minutes', 1, 1, 1, 'closed'
     from generate_series(1, ${ROWS}) n join clients c on c.client_id = 600000000 + n order by n`,
  `insert into audit_log (at, actor_type, user_id, action, object_type, object_id, request_id)
     select '2026-01-01T00:00:00Z'::timestamptz + n * interval '5 minutes', 'operator', c.user_id, 'client.create', 'client',
       c.client_id::text, 'r' || n from generate_series(1, ${ROWS}) n join clients c on c.client_id = 600000000 + n order by n`,
  `insert into usage_rollups (step, starts_at, binding_id, client_id, user_id, bytes_in)
     select 'day', '2026-03-01', 'mapping:' || 1000 + n, c.client_id, c.user_id, 1
     from generate_series(1, ${ROWS}) n join clients c on c.client_id = 600000000 + n`,
  `insert into user_bandwidth (user_id, node_id, taken_at, interval_ms, bytes)
     select 100000000 + n, 'node-001', now(), 60000, 1 from generate_series(1, ${ROWS}) n`,
  `insert into usage_monthly (user_id, month, bytes_in)
     select 100000000 + n, date_trunc('month', now() at time zone 'utc')::date, 1 from generate_series(1, ${ROWS}) n`,
  `select setval('user_id_seq', 200000000), setval('client_id_seq', 700000000), setval('mapping_id_seq', 200000)`,
  `insert into reserved_names (name, reason) select 'r' || n, 'test' from generate_series(1, ${ROWS}) n`,
];
