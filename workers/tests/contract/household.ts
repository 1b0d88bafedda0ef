import { randomUUID } from 'node:crypto';
import { BASE_DOMAIN, OPERATOR_KEY, type TestStack } from '../test-stack.ts';
import type { Existing } from './schema-arbitrary.ts';

/** Who may ask. */
export interface Callers {
  operator: string;
  tenant: string;
  agent: string;
  anonymous: string;
  reader: string;
  nobody: undefined;
}

export interface Household {
  callers: Callers;
  existing: Existing;
}

/** What all households share: a relay, and a neighbour who logs in with a password. */
export async function makeNeighbourhood(stack: TestStack, nodeId: string): Promise<Existing> {
  const password = 'correct horse battery staple';
  const name = `neighbour-${randomUUID().slice(0, 13)}`;
  const { userId } = await stack.newUser(name);
  await stack.asOperator('PUT', `/users/${userId}`, { password });
  const { body } = await stack.call('POST', '/auth/login', { body: { login: name, password } });
  return {
    user_id: [userId],
    node_id: [nodeId],
    login: [name],
    password: [password],
    refresh_token: [body['refresh_token'] as string],
    base_domain: [BASE_DOMAIN, 'second.example'],
    plan: ['free', 'pro'],
  };
}

/** A tenant with something of everything, and keys of every kind. */
export async function makeHousehold(stack: TestStack, around: Existing): Promise<Household> {
  const name = `fuzz-${randomUUID().slice(0, 13)}`;
  const { userId, token } = await stack.newUser(name);
  const limits = ['max_clients', 'max_mappings', 'max_active_mappings', 'max_connections_per_mapping'];
  await stack.asOperator('POST', `/users/${userId}/quota`, Object.fromEntries(limits.map((limit) => [limit, null])));
  const reader = await stack.call('POST', `/users/${userId}/api-keys`, { token, body: { scopes: ['read'] } });
  const hello = { agent_version: 'test', protocol: 1 };
  const agent = await stack.call('POST', '//agent/v1/session', { token, body: hello });
  const anonymous = await stack.newAnonymous();
  const clientId = agent.body['client_id'] as number;
  const other = await stack.newClient(token);
  const mapping = await stack.call('POST', '/mappings', {
    token,
    body: { source_client_id: other, target_client_id: clientId, local_port: 2222, target_port: 22 },
  });
  const domain = await stack.call('POST', '/domains', {
    token,
    body: { client_id: clientId, subdomain: name, target_port: 80 },
  });
  const namespace = await stack.call('POST', '/namespaces', { token, body: { name } });
  const joinToken = await stack.asOperator('POST', '/join-tokens', {});
  const credential = await stack.call('POST', '/dns/credentials', {
    token,
    body: { name, provider: 'cloudflare', token: around['token']?.[0] ?? 'a-token-of-40-characters' },
  });
  const dns = await stack.database.query<{ zone_id: number; record_id: number }>(
    `with zone as (
       insert into dns_zones (user_id, domain, credential_id, provider_zone_id, tag)
       values ($1, $2, $3, 'none', substr(md5($2), 1, 12)) returning zone_id
     ), record as (
       insert into domain_dns_records (zone_id, type, name, value, owner_type, next_retry_at)
       select zone_id, 'A', 'www.' || $2, '203.0.113.1', 'manual', null from zone returning record_id
     ) select zone_id::int, record_id::int from zone, record`,
    [userId, `${name}.example.org`, credential.body['credential_id']],
  );
  const idsOf = (...ids: unknown[]) => ids.filter((id) => id !== undefined) as (number | string)[];
  return {
    callers: {
      operator: OPERATOR_KEY,
      tenant: token,
      agent: agent.body['access_token'] as string,
      anonymous: anonymous.token,
      reader: reader.body['api_key'] as string,
      nobody: undefined,
    },
    existing: {
      ...around,
      user_id: [userId, ...(around['user_id'] ?? [])],
      key_id: idsOf(reader.body['key_id']),
      client_id: idsOf(clientId, other, anonymous.clientId),
      mapping_id: idsOf(mapping.body['mapping_id']),
      domain_id: idsOf(domain.body['domain_id']),
      namespace_id: idsOf(namespace.body['namespace_id']),
      token_id: idsOf(joinToken.body['token_id']),
      credential_id: idsOf(credential.body['credential_id']),
      zone_id: idsOf(dns.rows[0]?.zone_id),
      record_id: idsOf(dns.rows[0]?.record_id),
      ids: idsOf(dns.rows[0]?.record_id),
      binding_id: idsOf(`mapping:${mapping.body['mapping_id']}`, `domain:${domain.body['domain_id']}`),
      host: idsOf(domain.body['full_domain']),
      endpoint: idsOf(domain.body['full_domain'], `new-${name}.${BASE_DOMAIN}`),
      anonymous_client_id: [anonymous.clientId],
      auth_code: [anonymous.authCode],
    },
  };
}
