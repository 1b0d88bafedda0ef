import { z } from 'zod';
import { momentSchema, pageShape } from './common.ts';

export const reservedNameSchema = z
  .object({
    name: z.string().describe('A label, kept under every base domain, or a whole name'),
    reason: z.string().describe('Why; `quarantine`: its owner has given it up a short time ago'),
    user_id: z.int().nullable().describe('The one user that may take it; null: nobody'),
    until: momentSchema.nullable().describe('null: for ever'),
  })
  .meta({
    id: 'ReservedName',
    description: 'A name that is kept back, beside those that are reserved by the software itself',
  });

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

export const reservedNamesPageSchema = z
  .object({ reserved_names: z.array(reservedNameSchema), ...pageShape })
  .meta({ id: 'ReservedNamesPage' });

export type ReservedName = z.infer<typeof reservedNameSchema>;
export type PutReservedName = z.input<typeof putReservedNameSchema>;
