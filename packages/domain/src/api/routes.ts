import { z } from 'zod';
import { presenceSchema } from '../presence.ts';
import { deliverySchema, momentSchema, pageShape, portSchema, targetHostSchema } from './common.ts';

const routeUpstreamSchema = z
  .object({ client_id: z.int(), presence: presenceSchema.nullable() })
  .meta({ id: 'RouteUpstream', description: 'A client of an endpoint, and where it is attached now' });

export const routeSchema = z
  .object({
    endpoint: z.string().describe('A host name, or `tcp:{group}:{port}`'),
    binding_id: z.string(),
    version: z.int(),
    protocol: z.enum(['http', 'tcp', 'udp', 'socks5']),
    enabled: z.boolean(),
    user_id: z.int().nullable(),
    expires_at: momentSchema.nullable().describe('When it ends by itself; null: it does not'),
    ends_with_client: z.boolean().describe("It ends when its client's agent is detached"),
    upstreams: z.array(routeUpstreamSchema),
  })
  .meta({ id: 'Route', description: 'A route: what an endpoint is bound to, and where its clients are now' });

const endpointInputSchema = z.string().min(1).max(280);

export const createRouteSchema = z
  .object({
    /** A name under a base domain, a custom domain that the tenant has proved, or `tcp:{group}:{port}`. */
    endpoint: endpointInputSchema,
    client_id: z.int(),
    target_host: targetHostSchema.default('127.0.0.1'),
    target_port: portSchema.default(80),
    ttl_seconds: z.int().min(1).max(31_536_000).optional().describe("Absent: until the client's agent is detached"),
  })
  .meta({
    id: 'CreateRoute',
    description: "Binds an endpoint to a client until its time is over or the client's agent is detached",
  });

export const createRoutesSchema = z
  .object({ routes: z.array(createRouteSchema).min(1).max(500) })
  .meta({ id: 'CreateRoutes', description: 'Several at once; each for itself is made or refused' });

export const createdRoutesSchema = z
  .object({
    created: z.int(),
    results: z.array(
      z.discriminatedUnion('outcome', [
        z.object({ endpoint: z.string(), outcome: z.literal('created'), binding_id: z.string() }),
        z.object({ endpoint: z.string(), outcome: z.literal('refused'), code: z.string(), detail: z.string() }),
      ]),
    ),
  })
  .meta({ id: 'CreatedRoutes' });

export const deliveredRouteSchema = routeSchema
  .extend({ delivery: z.array(deliverySchema) })
  .meta({ id: 'DeliveredRoute' });
export const routesPageSchema = z.object({ routes: z.array(routeSchema), ...pageShape }).meta({ id: 'RoutesPage' });

export type DeliveredRoute = z.infer<typeof deliveredRouteSchema>;
export type Route = z.infer<typeof routeSchema>;
export type CreateRoute = z.input<typeof createRouteSchema>;
export type CreateRoutes = z.input<typeof createRoutesSchema>;
export type CreatedRoutes = z.infer<typeof createdRoutesSchema>;
