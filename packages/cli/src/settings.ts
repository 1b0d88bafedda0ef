import { homedir } from 'node:os';
import { join } from 'node:path';
import type { TransportChoice } from '@tunnox/agent/link/candidates';
import { CredentialFile } from './credentials/credential-file.ts';
import { UsageError } from './usage-error.ts';

/** Where a server of `npm start` is. */
export const DEFAULT_SERVER = 'http://127.0.0.1:9000';

/** Options of every command, as commander gives them. */
export interface GlobalOptions {
  server?: string;
  apiKey?: string;
  client?: number;
  transport: TransportChoice;
  json: boolean;
  caFile?: string;
  insecure: boolean;
  configDir?: string;
}

/** Options, environment and saved login put together. */
export interface Settings {
  server: string;
  /** Absent: anonymous. */
  apiKey?: string;
  /** Run as this client of the API key's user. */
  client?: number;
  transport: TransportChoice;
  json: boolean;
  caFile?: string;
  insecure: boolean;
  credentials: CredentialFile;
}

/** Options win over the environment, the environment over a configuration file, and that over the saved login. */
export async function resolveSettings(
  options: GlobalOptions,
  env: Record<string, string | undefined>,
  file: { server?: string | undefined; apiKey?: string | undefined } = {},
): Promise<Settings> {
  const credentials = new CredentialFile(options.configDir ?? nonEmpty(env['TUNNOX_CONFIG_DIR']) ?? defaultDir(env));
  const saved = await credentials.read();
  const named = options.server ?? nonEmpty(env['TUNNOX_SERVER']) ?? file.server ?? saved.server ?? DEFAULT_SERVER;
  const server = normalServer(named);
  const apiKey = options.apiKey ?? nonEmpty(env['TUNNOX_API_KEY']) ?? file.apiKey ?? saved.logins[server]?.api_key;
  const caFile = options.caFile ?? nonEmpty(env['TUNNOX_CA_FILE']);
  return {
    server,
    transport: options.transport,
    json: options.json,
    insecure: options.insecure,
    credentials,
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(options.client === undefined ? {} : { client: options.client }),
    ...(caFile === undefined ? {} : { caFile }),
  };
}

/** `HTTPS://Api.Example.com/` → `https://api.example.com`; without a scheme HTTPS is meant, on loopback HTTP. */
function normalServer(text: string): string {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const isLoopback = /^(?:localhost|127\.|\[::1\])/.test(text);
  const address = hasScheme ? text : `${isLoopback ? 'http' : 'https'}://${text}`;
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw new UsageError(`Cannot use '${text}' as server: it must be a URL such as https://api.example.com`);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** Folder of the XDG base directory specification. */
function defaultDir(env: Record<string, string | undefined>): string {
  return join(nonEmpty(env['XDG_CONFIG_HOME']) ?? join(homedir(), '.config'), 'tunnox');
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text;
}
