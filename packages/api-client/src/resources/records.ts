import { type AuditEntry, auditEntrySchema, auditPageSchema } from '@tunnox/domain/api/audit';
import type { Page } from '@tunnox/domain/api/common';
import { type Connection, connectionsPageSchema } from '@tunnox/domain/api/connections';
import { z } from 'zod';
import { type CallOptions, type ListQuery, Resource, V1 } from '../resource.ts';

export interface ConnectionsQuery extends ListQuery {
  /** Such as `mapping:1001` or `domain:7`, also of what is gone. */
  binding_id?: string;
  mapping_id?: number;
  domain_id?: number;
  client_id?: number;
  /** Operators. */
  user_id?: number;
  /** RFC 3339. */
  from?: string;
  to?: string;
}

export interface AuditFilter {
  /** Operators. */
  user_id?: number;
  action?: string;
  object_type?: string;
  object_id?: string;
  request_id?: string;
  from?: string;
  to?: string;
}

export interface AuditQuery extends AuditFilter, ListQuery {}

export interface AuditExportQuery extends AuditFilter {
  /** Go on behind this `audit_id`. */
  after?: number;
}

/** Last line of an answer that does not have all: there is more, or the database went away meanwhile. */
const goOnSchema = z.union([
  z.object({ more: z.literal(true), after: z.int() }),
  z.object({ error: z.looseObject({}), after: z.int() }),
]);

/** What has happened: tunnels that ended, and changes. The newest first. */
export class Records extends Resource {
  connections(query: ConnectionsQuery = {}, options?: CallOptions): Promise<Page<'connections', Connection>> {
    return this.read(`${V1}/connections`, connectionsPageSchema, query, options);
  }

  audit(query: AuditQuery = {}, options?: CallOptions): Promise<Page<'entries', AuditEntry>> {
    return this.read(`${V1}/audit`, auditPageSchema, query, options);
  }

  /** Every change that matches, the oldest first; goes on by itself where an answer ends. */
  async *exportAudit(query: AuditExportQuery = {}, options?: CallOptions): AsyncGenerator<AuditEntry> {
    for (let after = query.after; ;) {
      const part = await this.readText(`${V1}/audit/export`, parseExport, { ...query, after }, options);
      yield* part.entries;
      if (part.goOnAfter === null) return;
      after = part.goOnAfter;
    }
  }
}

/** Lines of an export, and behind which entry the rest begins; null: these are all. */
function parseExport(text: string): { entries: AuditEntry[]; goOnAfter: number | null } {
  const lines = text.split('\n').flatMap((line): unknown[] => (line === '' ? [] : [JSON.parse(line)]));
  const { data: goOn } = goOnSchema.safeParse(lines.at(-1));
  const entries = goOn === undefined ? lines : lines.slice(0, -1);
  return { entries: z.array(auditEntrySchema).parse(entries), goOnAfter: goOn?.after ?? null };
}
