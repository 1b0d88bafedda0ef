import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createFileOnce, readTextFile } from '@tunnox/certificates/key-files';
import { z } from 'zod';
import { StackError } from './stack-error.ts';

const secretsSchema = z.object({
  database_password: z.string().min(16),
  operator_key: z.string().min(32),
  encryption_key: z.base64(),
  upstash_token: z.string().min(16),
});

export type LocalSecrets = z.infer<typeof secretsSchema>;

/**
 * Secrets of one platform, made at its first start and kept in `secrets.json` (0600).
 *
 * @throws {StackError} when the file is damaged: with other secrets its data could not be read any more.
 */
export async function loadOrCreateSecrets(home: string): Promise<LocalSecrets> {
  const file = join(home, 'secrets.json');
  const fresh: LocalSecrets = {
    database_password: randomBytes(24).toString('base64url'),
    operator_key: `tnx_operator_${randomBytes(32).toString('base64url')}`,
    encryption_key: randomBytes(32).toString('base64'),
    upstash_token: randomBytes(24).toString('base64url'),
  };
  const text = (await readTextFile(file)) ?? (await createFileOnce(file, `${JSON.stringify(fresh, null, 2)}\n`, 0o600));
  try {
    return secretsSchema.parse(JSON.parse(text));
  } catch {
    throw new StackError(`${file} is damaged. Bring it back, or remove the whole folder ${home} to start afresh.`);
  }
}
