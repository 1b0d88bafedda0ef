import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { ApiCaller } from '@tunnox/api-client/api-caller';
import type { HttpTransport } from '@tunnox/api-client/http-transport';
import type { Settings } from '../settings.ts';
import { UsageError } from '../usage-error.ts';
import { CLI_VERSION } from '../version.ts';
import { httpsTransport } from './https-transport.ts';

/** How calls to the server travel. */
export interface Server {
  caller: ApiCaller;
  /** Absent: `fetch`. */
  transport?: HttpTransport;
}

/** @throws {UsageError} when the CA file cannot be read */
export async function openServer(settings: Settings): Promise<Server> {
  const options = { server: settings.server, userAgent: `tunnox/${CLI_VERSION}` };
  if (settings.caFile === undefined && !settings.insecure) return { caller: new ApiCaller({}, options) };
  const ca = settings.caFile === undefined ? undefined : [...rootCertificates, await readCa(settings.caFile)];
  const transport = httpsTransport({ insecure: settings.insecure, ...(ca === undefined ? {} : { ca }) });
  return { caller: new ApiCaller({ transport }, options), transport };
}

async function readCa(path: string): Promise<string> {
  const pem = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new UsageError(`Cannot read the CA file '${path}': ${(error as Error).message}`);
  });
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new UsageError(`Cannot use the CA file '${path}': it must hold certificates in PEM format`);
  }
  return pem;
}
