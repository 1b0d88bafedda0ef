import type { Page } from '@tunnox/domain/api/common';
import {
  type CreateMapping,
  type DeliveredMapping,
  deliveredMappingSchema,
  type Mapping,
  mappingSchema,
  mappingsPageSchema,
  type UpdateMapping,
} from '@tunnox/domain/api/mappings';
import { type CallOptions, type ChangeOptions, type ListQuery, Resource, V1 } from '../resource.ts';

export interface MappingsFilter extends ListQuery {
  protocol?: Mapping['protocol'];
}

export interface MappingsQuery extends MappingsFilter {
  /** Operators. */
  user_id?: number;
  namespace_id?: number;
  client_id?: number;
}

/** Ports: private ones between two clients, and public ones. */
export class Mappings extends Resource {
  /** Waits up to 2 s for the agents; how far it came stands in `delivery`. */
  create(mapping: CreateMapping, options?: ChangeOptions): Promise<DeliveredMapping> {
    return this.post(`${V1}/mappings`, mapping, deliveredMappingSchema, options);
  }

  list(query: MappingsQuery = {}, options?: CallOptions): Promise<Page<'mappings', Mapping>> {
    return this.read(`${V1}/mappings`, mappingsPageSchema, query, options);
  }

  get(mappingId: number, options?: CallOptions): Promise<Mapping> {
    return this.read(`${V1}/mappings/${mappingId}`, mappingSchema, {}, options);
  }

  update(mappingId: number, change: UpdateMapping, options?: ChangeOptions): Promise<DeliveredMapping> {
    return this.put(`${V1}/mappings/${mappingId}`, change, deliveredMappingSchema, options);
  }

  delete(mappingId: number, options?: ChangeOptions): Promise<void> {
    return this.remove(`${V1}/mappings/${mappingId}`, options);
  }
}
