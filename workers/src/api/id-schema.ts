import { z } from '@hono/zod-openapi';

/** A number in a path or a query. Not coerced: an empty text would be 0, and the value optional in the description. */
export const idSchema = z
  .string()
  .refine((text) => /^\d{1,15}$/.test(text), 'must be a whole number')
  .transform(Number)
  .openapi({ type: 'integer' });
