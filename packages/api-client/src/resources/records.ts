import { type AuditEntry, auditPageSchema } from '@tunnox/domain/api/audit';
import type { Page } from '@tunnox/domain/api/common';
import { type Connection, connectionsPageSchema } from '@tunnox/domain/api/connections';
import { type CallOptions, type ListQuery, Resource, V1 } from '../resource.ts';

export interface ConnectionsQuery extends ListQuery {
  mapping_id?: number;
  domain_id?: number;
  client_id?: number;
  /** Operators. */
  user_id?: number;
  /** RFC 3339. */
  from?: string;
  to?: string;
}

export interface AuditQuery extends ListQuery {
  /** Operators. */
  user_id?: number;
  action?: string;
  object_type?: string;
  object_id?: string;
  request_id?: string;
  from?: string;
  to?: string;
}

/** What has happened: tunnels that ended, and changes. The newest first. */
export class Records extends Resource {
  connections(query: ConnectionsQuery = {}, options?: CallOptions): Promise<Page<'connections', Connection>> {
    return this.read(`${V1}/connections`, connectionsPageSchema, query, options);
  }

  audit(query: AuditQuery = {}, options?: CallOptions): Promise<Page<'entries', AuditEntry>> {
    return this.read(`${V1}/audit`, auditPageSchema, query, options);
  }
}
