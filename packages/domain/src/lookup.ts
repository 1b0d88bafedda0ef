import { z } from 'zod';
import { bindingSchema } from './binding.ts';
import { nodeAddressSchema, presenceSchema } from './presence.ts';

/** Where one upstream of a binding is now; both null: its agent is away. */
export const upstreamPlaceSchema = z.object({
  client_id: z.int(),
  presence: presenceSchema.nullable(),
  node: nodeAddressSchema.nullable(),
});

/** Answer of `GET /relay/v1/lookup?endpoint=`: a route, or the owner's "no". */
export const lookupAnswerSchema = z.discriminatedUnion('found', [
  z.object({ found: z.literal(true), binding: bindingSchema, upstreams: z.array(upstreamPlaceSchema) }),
  z.object({ found: z.literal(false) }),
]);

export type UpstreamPlace = z.infer<typeof upstreamPlaceSchema>;
export type LookupAnswer = z.infer<typeof lookupAnswerSchema>;
