import type { Page } from '@tunnox/domain/api/common';
import {
  type PutReservedName,
  type ReservedName,
  reservedNameSchema,
  reservedNamesPageSchema,
} from '@tunnox/domain/api/reserved-names';
import { type CallOptions, type ChangeOptions, type ListQuery, Resource, V1 } from '../resource.ts';

/** Names that are kept back, beside those that are reserved by the software itself. Operators. */
export class ReservedNames extends Resource {
  /** Those in quarantine too. */
  list(query: ListQuery = {}, options?: CallOptions): Promise<Page<'reserved_names', ReservedName>> {
    return this.read(`${V1}/reserved-names`, reservedNamesPageSchema, query, options);
  }

  /** @param name A label, kept under every base domain, or a whole name. */
  set(name: string, reserved: PutReservedName, options?: ChangeOptions): Promise<ReservedName> {
    return this.put(`${V1}/reserved-names/${encodeURIComponent(name)}`, reserved, reservedNameSchema, options);
  }

  /** Gives it free. */
  delete(name: string, options?: ChangeOptions): Promise<void> {
    return this.remove(`${V1}/reserved-names/${encodeURIComponent(name)}`, options);
  }
}
