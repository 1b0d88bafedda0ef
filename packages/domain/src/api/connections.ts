import { z } from 'zod';
import { bindingIdSchema } from '../binding.ts';
import { momentSchema, pageQuerySchema, pageShape } from './common.ts';

/** A tunnel that has ended. Many HTTP requests may have passed through it. */
export const connectionSchema = z
  .object({
    /** The same as in the logs of both relays. */
    tunnel_id: z.string(),
    binding_id: z.string(),
    client_id: z.int(),
    /** null: an anonymous client's. */
    user_id: z.int().nullable(),
    node_id: z.string(),
    /**
     * Address of the visitor for whom it was opened; an HTTP tunnel may have served others after it.
     * `client:600000001` is the source agent of a private mapping.
     */
    visitor: z.string(),
    started_at: momentSchema,
    duration_ms: z.int(),
    /** Visitor → target. */
    bytes_in: z.int(),
    /** Target → visitor. */
    bytes_out: z.int(),
    /** `closed`, or the cause that ended it. */
    close_reason: z.string(),
  })
  .meta({ id: 'Connection' });

export const connectionsQuerySchema = pageQuerySchema.extend({
  binding_id: bindingIdSchema.optional(),
  mapping_id: z.coerce.number().int().min(1).optional(),
  domain_id: z.coerce.number().int().min(1).optional(),
  client_id: z.coerce.number().int().min(1).optional(),
  /** Operators only. */
  user_id: z.coerce.number().int().min(1).optional(),
  from: momentSchema.optional(),
  to: momentSchema.optional(),
});

/** The newest first, in the order in which relays told of them. `total` counts no further than 100 000. */
export const connectionsPageSchema = z.object({ connections: z.array(connectionSchema), ...pageShape });

export type ConnectionsQuery = z.infer<typeof connectionsQuerySchema>;
export type Connection = z.infer<typeof connectionSchema>;
