import type { Binding } from '@tunnox/domain/binding';
import { type SQL, sql } from 'drizzle-orm';
import type { BindingRepository } from '../services/ports.ts';
import { domainBindings, mappingBindings } from './binding-sql.ts';
import type { Postgres } from './postgres.ts';

/** Bindings by id and by endpoint: each one statement over an index. */
export function createBindingRepository(postgres: Postgres): BindingRepository {
  async function first(statement: SQL): Promise<Binding | null> {
    const [row] = await postgres.query<{ binding: Binding }>(statement);
    return row?.binding ?? null;
  }
  return {
    async load(bindingId) {
      const [kind, id] = bindingId.split(':');
      return first(kind === 'mapping' ? mappingBindings(sql`m.mapping_id = ${id}`) : domainBindings(sql`d.id = ${id}`));
    },
    async loadByEndpoint(endpoint) {
      const parts = endpoint.split(':');
      switch (parts.length) {
        case 1:
          return first(domainBindings(sql`d.full_domain = ${endpoint}`));
        case 2: {
          const [kind, id = ''] = parts;
          if (kind !== 'mapping' || !/^[1-9][0-9]{0,15}$/.test(id)) return null;
          return first(mappingBindings(sql`m.mapping_id = ${id} and m.source_client_id is not null`));
        }
        case 3: {
          const [protocol, group, port = ''] = parts;
          if (!/^[1-9][0-9]{0,4}$/.test(port)) return null;
          return first(
            mappingBindings(sql`m.relay_group = ${group} and m.protocol = ${protocol} and m.remote_port = ${port}`),
          );
        }
        default:
          return null;
      }
    },
  };
}
