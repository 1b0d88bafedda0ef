import { z } from 'zod';

/** What is stored encrypted. */
export const encryptedKindSchema = z.enum([
  'dns_tokens',
  'certificate_keys',
  'certificate_order_keys',
  'acme_account_keys',
  'signing_keys',
  'mapping_secrets',
  'client_handovers',
  'stored_answers',
]);

export const encryptionRotationSchema = z
  .object({
    /** false: there is so much that another call has to go on. */
    complete: z.boolean(),
    /** How many were encrypted anew under the present key. */
    renewed: z.int(),
    /** How many no key of this server opens: the key that they need is not among ENCRYPTION_KEYS_OLD. */
    unreadable: z.int(),
    kinds: z.array(z.object({ kind: encryptedKindSchema, renewed: z.int(), unreadable: z.int() })),
  })
  .meta({ id: 'EncryptionRotation' });

export type EncryptedKind = z.infer<typeof encryptedKindSchema>;
export type EncryptionRotation = z.infer<typeof encryptionRotationSchema>;
