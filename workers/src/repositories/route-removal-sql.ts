import { type SQL, sql } from 'drizzle-orm';
import type { AuditEntry } from '../services/audit.ts';
import { bumpClients } from './binding-change-sql.ts';
import { isRoute, mappingEndpoint } from './binding-sql.ts';
import { insertAudit, insertClientChange } from './sql-parts.ts';

/** Takes a route away: outbox rows, and nothing when it is gone already. */
export function removeRoute(bindingId: string, audit: AuditEntry): SQL {
  const [kind, id] = bindingId.split(':');
  const gone =
    kind === 'domain'
      ? sql`delete from http_domain_mappings d where d.id = ${id} and ${isRoute('d')}
          returning d.user_id, d.full_domain as endpoint, 'domain:' || d.id as binding_id,
            array(select e.client_id from endpoint_upstreams e where e.domain_id = d.id) as client_ids`
      : sql`delete from port_mappings m where m.mapping_id = ${id} and ${isRoute('m')}
          returning m.user_id, ${mappingEndpoint} as endpoint, 'mapping:' || m.mapping_id as binding_id,
            array(select e.client_id from endpoint_upstreams e where e.mapping_id = m.mapping_id) as client_ids`;
  return sql`
    with gone as (${gone}), ${bumpClients(sql`gone`)},
    audited as (${insertAudit(audit, 'route', sql`gone.endpoint`, sql`gone.user_id`, sql`gone`)})
    ${insertClientChange('updated', sql`bumped`)}`;
}
