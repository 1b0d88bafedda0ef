import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stack } from '../../src/stack-file.ts';
import { api, type Tenant } from './tenant.ts';

/** A client that a tenant made by the API, ready for `tunnox run -c`. */
export interface ManagedClient {
  clientId: number;
  authCode: string;
  /** Its `tunnox.yaml`. */
  configFile: string;
}

export async function managedClient(stack: Stack, home: string, tenant: Tenant): Promise<ManagedClient> {
  const { client_id: clientId, auth_code: authCode } = await api<{ client_id: number; auth_code: string }>(
    stack,
    tenant.apiKey,
    'POST',
    '/api/v1/clients',
    { client_name: 'managed' },
  );
  return await writeRunFile(stack, home, { clientId, authCode });
}

/** Writes the `tunnox.yaml` of a client. */
export async function writeRunFile(
  stack: Stack,
  home: string,
  { clientId, authCode }: Omit<ManagedClient, 'configFile'>,
): Promise<ManagedClient> {
  const configFile = join(home, `client-${clientId}.yaml`);
  await writeFile(configFile, `server: ${stack.api_url}\nclient_id: ${clientId}\nauth_code: ${authCode}\n`, {
    mode: 0o600,
  });
  return { clientId, authCode, configFile };
}
