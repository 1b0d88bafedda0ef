import type { AgentBinding, AgentConfig, AgentConfigDelta } from '@tunnox/domain/agent-config';
import type { Binding } from '@tunnox/domain/binding';
import type { ClientPolicy, RelayLimits } from '@tunnox/domain/policy';
import { type SQL, sql } from 'drizzle-orm';
import type { Cipher, ClientStanding, PolicyRepository } from '../services/ports.ts';
import { domainUrl, portUrl, type PublicUrls } from '../services/public-urls.ts';
import { toBase64Url } from '../services/random.ts';
import { domainBindings, mappingBindings, NOT_ENDED_MAPPING } from './binding-sql.ts';
import { changesSince } from './config-changes-sql.ts';
import { anonymousTrafficOf, limitsOf, monthTrafficOf } from './limits-sql.ts';
import type { Postgres } from './postgres.ts';
import { array } from './sql-parts.ts';

/** A client that may be attached: `c` (clients) and `u` (users). */
const ACTIVE = sql.raw(`c.lifecycle = 'active' and c.suspended_at is null and coalesce(u.status = 'active', true)
  and (c.expires_at is null or c.expires_at > now())`);

/** The statements that follow ask for many clients at once: `c` is the client of the row. */
const served = (column: 'mapping_id' | 'domain_id', clientId: SQL): SQL =>
  sql`(select e.${sql.raw(column)} from endpoint_upstreams e where e.client_id = ${clientId})`;

/** Mappings that the client serves or is the source of; two index scans, where an `or` would read the whole table. */
const named = (clientId: SQL): SQL => sql`(
  select e.mapping_id from endpoint_upstreams e where e.client_id = ${clientId}
  union select s.mapping_id from port_mappings s where s.source_client_id = ${clientId})`;

interface PolicyRow {
  client_id: number;
  user_id: number | null;
  generation: number;
  config_version: number;
  limits: RelayLimits;
  bindings: Binding[];
}

interface ConfigRow {
  config_version: number;
  /** What has changed since the asked version; null: not all of it is known. */
  changed: string[] | null;
  mappings: MappingConfig[];
  domains: DomainConfig[];
}

interface MappingConfig {
  id: number;
  protocol: 'tcp' | 'udp' | 'http' | 'socks5';
  enabled: boolean;
  source_client_id: number | null;
  target_client_id: number;
  local_port: number | null;
  remote_port: number | null;
  target_host: string | null;
  target_port: number | null;
  secret: string | null;
  /** Public address of a relay that has the port in its pool. */
  address: string | null;
}

interface DomainConfig {
  id: number;
  enabled: boolean;
  full_domain: string;
  tls_mode: 'terminate' | 'passthrough' | 'off';
  target_scheme: 'http' | 'https';
  target_host: string;
  target_port: number;
}

/** What relays and agents must know of a client: each one statement, so a version goes with exactly its bindings. */
export function createPolicyRepository(postgres: Postgres, secrets: Cipher, urls: PublicUrls): PolicyRepository {
  return {
    async loadStandings(clientIds) {
      const rows = await postgres.query<ClientStanding>(sql`
        select c.client_id as "clientId", c.user_id as "userId", c.namespace_id as "namespaceId", c.type, c.name,
          case when c.lifecycle = 'active' and (u.status <> 'active' or c.suspended_at is not null) then 'disabled'
            else c.lifecycle end as state,
          case when c.suspended_at is not null then jsonb_build_object('reason', c.suspended_reason) end as suspended,
          c.credential_generation as generation, c.config_version as "configVersion",
          c.upgraded_to as "upgradedTo", c.auth_code_hash as "authCodeHash"
        from clients c left join users u on u.user_id = c.user_id
        where c.client_id = any(${array(clientIds, 'bigint')})
          and (c.lifecycle = 'claimed' or c.expires_at is null or c.expires_at > now())`);
      return new Map(rows.map((row) => [row.clientId, row]));
    },

    async loadPolicies(clientIds) {
      const c = sql`c.client_id`;
      const rows = await postgres.query<PolicyRow>(sql`
        select c.client_id, c.user_id, c.credential_generation as generation, c.config_version,
          (select jsonb_build_object(
              'max_connections_per_mapping', l.max_connections_per_mapping,
              'bandwidth_bytes_per_s', l.total_bandwidth_limit,
              'traffic_remaining_bytes', case when l.monthly_traffic_limit is not null then
                greatest(0, l.monthly_traffic_limit - case when c.user_id is not null
                  then ${monthTrafficOf(sql`c.user_id`)} else ${anonymousTrafficOf(c)} end) end,
              'ledger', jsonb_build_object('version', 0, 'total_bandwidth_bytes_per_s', l.total_bandwidth_limit,
                'max_active_mappings', l.max_active_mappings, 'waiting_bindings', '[]'::jsonb))
            from (${limitsOf(sql`c.user_id`)}) l) as limits,
          coalesce((select jsonb_agg(b.binding) from (
            ${mappingBindings(sql`m.mapping_id in ${named(c)}`)}
            union all ${domainBindings(sql`d.id in ${served('domain_id', c)}`)}
          ) b), '[]') as bindings
        from clients c left join users u on u.user_id = c.user_id
        where c.client_id = any(${array(clientIds, 'bigint')}) and ${ACTIVE}`);
      return new Map(rows.map((row) => [row.client_id, row satisfies ClientPolicy]));
    },

    async loadAgentConfig(clientId, since) {
      const wanted = (id: string): SQL => sql`(h.changed is null or ${sql.raw(id)} = any(h.changed))`;
      const [row] = await postgres.query<ConfigRow>(sql`
        select c.config_version, h.changed,
          coalesce((select jsonb_agg(jsonb_build_object(
              'id', m.mapping_id, 'protocol', m.protocol, 'enabled', m.enabled,
              'source_client_id', m.source_client_id, 'target_client_id', t.client_id,
              'local_port', m.local_port, 'remote_port', m.remote_port,
              'target_host', m.target_host, 'target_port', m.target_port, 'secret', m.secret_encrypted,
              'address', (select n.public_address from relay_nodes n
                where n.relay_group = m.relay_group and m.remote_port between n.public_from and n.public_to
                order by n.status <> 'online', n.node_id limit 1)
            ) order by m.mapping_id)
            from port_mappings m cross join lateral (
              select e.client_id from endpoint_upstreams e where e.mapping_id = m.mapping_id
              order by e.client_id <> ${clientId}, e.priority, e.client_id limit 1) t
            where m.mapping_id in ${named(sql`c.client_id`)} and ${NOT_ENDED_MAPPING}
              and ${wanted(`'mapping:' || m.mapping_id`)}), '[]') as mappings,
          coalesce((select jsonb_agg(jsonb_build_object(
              'id', d.id, 'enabled', d.status = 'active', 'full_domain', d.full_domain, 'tls_mode', d.tls_mode,
              'target_scheme', d.target_scheme, 'target_host', d.target_host, 'target_port', d.target_port
            ) order by d.id)
            from http_domain_mappings d
            where d.verification_state = 'verified' and (d.expires_at is null or d.expires_at > now())
              and d.id in ${served('domain_id', sql`c.client_id`)} and ${wanted(`'domain:' || d.id`)}), '[]') as domains
        from clients c left join users u on u.user_id = c.user_id cross join lateral (${changesSince(since)}) h
        where c.client_id = ${clientId} and ${ACTIVE}`);
      if (row === undefined) return null;
      const mappings = await Promise.all(row.mappings.map((mapping) => toMappingBinding(clientId, mapping, secrets)));
      const domains = row.domains.map((domain) => toDomainBinding(domain, urls));
      const config: AgentConfig = { version: row.config_version, bindings: [...mappings, ...domains] };
      if (row.changed === null || since === null) return config;
      const present = new Set(config.bindings.map((binding) => binding.binding_id));
      const removed = row.changed.filter((id) => id !== '' && !present.has(id));
      return { ...config, since, removed } satisfies AgentConfigDelta;
    },
  };
}

async function toMappingBinding(clientId: number, mapping: MappingConfig, secrets: Cipher): Promise<AgentBinding> {
  const { id, protocol, enabled, target_host, target_port, local_port } = mapping;
  const secret = mapping.secret === null ? null : toBase64Url(await secrets.decrypt(mapping.secret));
  const common = { binding_id: `mapping:${id}`, protocol, enabled };
  if (mapping.source_client_id === clientId && local_port !== null && secret !== null) {
    return {
      ...common,
      role: 'source',
      local_port,
      target_client_id: mapping.target_client_id,
      target: target_host === null ? null : `${target_host}:${target_port}`,
      secret,
    };
  }
  const { address, remote_port } = mapping;
  return {
    ...common,
    role: 'target',
    url: address === null || remote_port === null ? null : portUrl(protocol, address, remote_port),
    target_scheme: protocol === 'udp' ? 'udp' : 'tcp',
    target_host,
    target_port,
    secret,
  };
}

function toDomainBinding(domain: DomainConfig, urls: PublicUrls): AgentBinding {
  return {
    role: 'target',
    binding_id: `domain:${domain.id}`,
    protocol: 'http',
    enabled: domain.enabled,
    url: domainUrl(urls, domain.full_domain, domain.tls_mode),
    target_scheme: domain.target_scheme,
    target_host: domain.target_host,
    target_port: domain.target_port,
    secret: null,
  };
}
