import { z } from 'zod';
import { momentSchema, pageShape } from './common.ts';

/** A name that is kept back, beside those that are reserved by the software itself. */
export const reservedNameSchema = z
  .object({
    /** A label, kept under every base domain, or a whole name. */
    name: z.string(),
    /** Why; `quarantine`: its owner has given it up a short time ago. */
    reason: z.string(),
    /** The one user that may take it; null: nobody. */
    user_id: z.int().nullable(),
    /** null: for ever. */
    until: momentSchema.nullable(),
  })
  .meta({ id: 'ReservedName' });

export const putReservedNameSchema = z
  .object({
    reason: z
      .string()
      .min(1)
      .max(200)
      .refine((text) => text !== 'quarantine', { message: 'must not be quarantine: that is how freed names are kept' }),
    user_id: z.int().nullable().default(null),
    until: momentSchema.nullable().default(null),
  })
  .meta({ id: 'PutReservedName' });

export const reservedNamesPageSchema = z.object({ reserved_names: z.array(reservedNameSchema), ...pageShape });

export type ReservedName = z.infer<typeof reservedNameSchema>;
export type PutReservedName = z.input<typeof putReservedNameSchema>;
