import assert from 'node:assert/strict';
import type { Answer, TestStack } from './test-stack.ts';

/** What a tenant has alone, or what its team has. */
export interface Belongings {
  clientId: number;
  agentToken: string;
  ticket: string;
  siblingId: number;
  siblingToken: string;
  mappingId: number;
  domainId: number;
  certificateId: number;
  host: string;
  /** Words that stand in nobody's answers but those of who may see these things. The name itself is public. */
  marks: string[];
}

/** A tenant with everything that a tenant can have, and a team. */
export interface Household extends Belongings {
  name: string;
  userId: number;
  /** API key with all scopes. */
  token: string;
  /** Access token of a log-in. */
  login: string;
  refreshToken: string;
  keyId: number;
  namespaceId: number;
  /** A DNS zone, which belongs to the user alone. */
  dns: { credentialId: number; zoneId: number; recordId: number };
  team: Belongings;
  /** API key of a viewer of the team. */
  viewer: string;
}

const PASSWORD = 'correct horse battery';

export async function makeHousehold(stack: TestStack, name: string): Promise<Household> {
  const { userId, token } = await stack.newUser(name);
  await stack.asOperator('PUT', `/users/${userId}`, { password: PASSWORD });
  const login = await stack.call('POST', '/auth/login', { body: { login: name, password: PASSWORD } });
  assert.equal(login.status, 200);
  const key = await made(stack.call('POST', `/users/${userId}/api-keys`, { token, body: { scopes: ['read'] } }));
  const namespace = await made(stack.call('POST', '/namespaces', { token, body: { name: `${name}-crew` } }));
  const namespaceId = namespace['namespace_id'] as number;
  const viewer = await stack.newUser(`${name}-viewer`);
  const member = `/namespaces/${namespaceId}/members/${viewer.userId}`;
  assert.equal((await stack.call('PUT', member, { token, body: { role: 'viewer' } })).status, 200);
  const alone = await belongings(stack, token, name, null);
  const team = await belongings(stack, token, `${name}-team`, namespaceId);
  return {
    ...alone,
    ...{ name, userId, token, keyId: key['key_id'] as number, namespaceId, team, viewer: viewer.token },
    ...{ login: login.body['access_token'] as string, refreshToken: login.body['refresh_token'] as string },
    dns: await dnsZone(stack, userId, `${name}-zone.example`),
    marks: [...alone.marks, String(userId), `${name}@customer`, `${name}-zone`],
  };
}

/** A zone at rest: nothing of it is due. */
async function dnsZone(stack: TestStack, userId: number, domain: string): Promise<Household['dns']> {
  const { rows } = await stack.database.query<{ credential_id: string; zone_id: string; record_id: string }>(
    `with credential as (
       insert into provider_credentials (user_id, name, provider, token_encrypted) values ($1, $2, 'cloudflare', 'k1.x.y')
       returning credential_id
     ), zone as (
       insert into dns_zones (user_id, domain, credential_id, tag, full_pass_at)
       select $1, $2, credential_id, substr(md5($2), 1, 12), now() from credential returning zone_id
     ), record as (
       insert into domain_dns_records (zone_id, type, name, value, owner_type, status, next_retry_at)
       select zone_id, 'A', 'www.' || $2, '203.0.113.1', 'manual', 'active', null from zone returning record_id
     ) select * from credential, zone, record`,
    [userId, domain],
  );
  const [row] = rows;
  return { credentialId: Number(row?.credential_id), zoneId: Number(row?.zone_id), recordId: Number(row?.record_id) };
}

async function belongings(
  stack: TestStack,
  token: string,
  name: string,
  namespace_id: number | null,
): Promise<Belongings> {
  const [client, sibling] = [await agent(stack, token, namespace_id), await agent(stack, token, namespace_id)];
  const mapping = await made(
    stack.call('POST', '/mappings', {
      token,
      body: {
        ...{ source_client_id: sibling.clientId, target_client_id: client.clientId },
        ...{ local_port: 2222, target_host: `${name}-target.internal`, target_port: 22 },
      },
    }),
  );
  const web = { target_host: `${name}-web.internal`, target_port: 1 };
  const domain = await made(
    stack.call('POST', '/domains', { token, body: { client_id: client.clientId, subdomain: `${name}-name`, ...web } }),
  );
  // As the work on certificates makes it for a domain of one's own.
  const certificate = await stack.database.query<{ id: number }>(
    `insert into certificates (names, domain_id, challenge) values (array[$1], $2, 'http-01') returning certificate_id as id`,
    [domain['full_domain'], domain['domain_id']],
  );
  return {
    certificateId: Number(certificate.rows[0]?.id),
    ...{ clientId: client.clientId, agentToken: client.token, ticket: client.ticket },
    ...{ siblingId: sibling.clientId, siblingToken: sibling.token },
    ...{ mappingId: mapping['mapping_id'] as number, domainId: domain['domain_id'] as number },
    host: domain['full_domain'] as string,
    marks: [client.clientId, sibling.clientId].map(String).concat(`${name}-target`, `${name}-web`),
  };
}

/** A client, and an agent that has opened a session as it. */
async function agent(
  stack: TestStack,
  token: string,
  namespace_id: number | null,
): Promise<{ clientId: number; token: string; ticket: string }> {
  const client = await made(stack.call('POST', '/clients', { token, body: { client_name: 'agent', namespace_id } }));
  const body = { agent_version: 'test', protocol: 1, client_id: client['client_id'] as number };
  const session = await stack.call('POST', '//agent/v1/session', { token, body });
  assert.equal(session.status, 200);
  const { client_id, access_token, ticket } = session.body;
  return { clientId: client_id as number, token: access_token as string, ticket: ticket as string };
}

async function made(answer: Promise<Answer>): Promise<Record<string, unknown>> {
  const { status, body } = await answer;
  assert.equal(status, 201, JSON.stringify(body));
  return body;
}

/** Tables that change by themselves, or when somebody is only looked at. */
const RESTLESS = [
  'outbox',
  'client_sessions',
  'relay_nodes',
  'idempotency_keys',
  'usage_reports',
  'anonymous_creations',
];

/** The whole database, but for when something was used: table → hash of its rows. */
export async function snapshot(stack: TestStack): Promise<Record<string, string>> {
  const { rows } = await stack.database.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'public' and tablename <> all($1) order by 1`,
    [RESTLESS],
  );
  const hashes: Record<string, string> = {};
  for (const { name } of rows) {
    const { rows: found } = await stack.database.query<{ hash: string }>(
      `select md5(coalesce(string_agg(line, ' ' order by line), '')) || ' ' || count(*) as hash
       from (select (to_jsonb(t) - '{last_used_at,last_seen_at}'::text[])::text as line from "${name}" t) lines`,
    );
    hashes[name] = found[0]?.hash ?? '';
  }
  return hashes;
}
