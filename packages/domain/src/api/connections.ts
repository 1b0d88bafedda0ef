import { z } from 'zod';
import { bindingIdSchema } from '../binding.ts';
import { momentSchema, pageQuerySchema, pageShape } from './common.ts';

export const connectionSchema = z
  .object({
    tunnel_id: z.string().describe('The same as in the logs of both relays'),
    binding_id: z.string(),
    client_id: z.int(),
    user_id: z.int().nullable().describe("null: an anonymous client's"),
    node_id: z.string(),
    visitor: z
      .string()
      .describe(
        'Address of the visitor for whom it was opened; an HTTP tunnel may have served others after it. `client:600000001` is the source agent of a private mapping',
      ),
    started_at: momentSchema,
    duration_ms: z.int(),
    bytes_in: z.int().describe('Visitor → target'),
    bytes_out: z.int().describe('Target → visitor'),
    close_reason: z.string().describe('`closed`, or the cause that ended it'),
  })
  .meta({ id: 'Connection', description: 'A tunnel that has ended. Many HTTP requests may have passed through it' });

export const connectionsQuerySchema = pageQuerySchema.extend({
  binding_id: bindingIdSchema.optional(),
  mapping_id: z.coerce.number().int().min(1).optional(),
  domain_id: z.coerce.number().int().min(1).optional(),
  client_id: z.coerce.number().int().min(1).optional(),
  user_id: z.coerce.number().int().min(1).optional().describe('For operators; others see their own'),
  from: momentSchema.optional().describe('Begun then or later'),
  to: momentSchema.optional().describe('Begun before then'),
});

export const connectionsPageSchema = z.object({ connections: z.array(connectionSchema), ...pageShape }).meta({
  id: 'ConnectionsPage',
  description: 'The newest first, in the order in which relays told of them. `total` counts no further than 100 000',
});

export type ConnectionsQuery = z.infer<typeof connectionsQuerySchema>;
export type Connection = z.infer<typeof connectionSchema>;
