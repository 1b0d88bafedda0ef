import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createSecureContext, type SecureContext } from 'node:tls';
import { loadOrCreateNodeIdentity } from '@tunnox/certificates/node-identity';

/** A relay's key as its TLS parts want it. */
export async function nodeKeys(t: TestContext): Promise<{ fingerprint: string; secureContext: SecureContext }> {
  const folder = await mkdtemp(join(tmpdir(), 'tunnox-node-'));
  t.after(() => rm(folder, { recursive: true }));
  const { privateKeyPem, certificatePem, fingerprint } = await loadOrCreateNodeIdentity(folder);
  const secureContext = createSecureContext({ key: privateKeyPem, cert: certificatePem, minVersion: 'TLSv1.3' });
  return { fingerprint, secureContext };
}
