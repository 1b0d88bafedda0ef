import { readFile } from 'node:fs/promises';
import { brotliDecompress } from 'node:zlib';
import { promisify } from 'node:util';
import type { WorkerBundle } from '@tunnox/devstack/worker-bundle';
import type { JWK } from 'jose';
import type { Client } from 'pg';

/** What must be known of the data to use it: secrets are of the tests only, and open nothing else. */
export interface Fixture {
  version: string;
  commit: string;
  madeAt: string;
  /** Migrations that it had, oldest first, each with its SHA-256. */
  migrations: { tag: string; hash: string }[];
  worker: Omit<WorkerBundle, 'code'>;
  operatorKey: string;
  encryptionKey: string;
  facts: Facts;
}

export interface KnownClient {
  clientId: number;
  authCode: string;
}

export interface Facts {
  users: { ada: number; bob: number; carol: number; deleted: number };
  /** Ada's was hashed by the Worker, Bob's hash was brought along. */
  passwords: { ada: string; bob: string };
  keys: { full: string; read: string; lasting: string; revoked: string; bob: string };
  clients: {
    server: KnownClient;
    laptop: KnownClient;
    rotated: KnownClient;
    disabled: KnownClient;
    anonymous: KnownClient;
    claimed: KnownClient;
    /** Disabled while nobody could be told. */
    disabledUntold: KnownClient;
  };
  domains: { name: string; pending: string; anonymous: string; untold: string };
  domainIds: { name: number; pending: number };
  mappings: { privateTcp: number; socks5: number; publicTcp: number };
  /** Shared secrets of private mappings as both agents have them. */
  secrets: Record<string, string>;
  /** Relays with the keys by which they come back. */
  relays: { nodeId: string; privateJwk: JWK }[];
  joinToken: string;
  /** A POST that was answered; its repetition gets the same answer. */
  repeatable: { key: string; path: string; body: unknown; answer: unknown };
}

export const DATA = new URL('data/', import.meta.url);
/** Each is one module. */
export const PROGRAM_FILES = {
  worker: new URL('worker.js.br', DATA),
  relay: new URL('relay.js.br', DATA),
  agent: new URL('agent.js.br', DATA),
};
export const DUMP_FILE = new URL('database.sql', DATA);
export const FIXTURE_FILE = new URL('fixture.json', DATA);

export async function readFixture(): Promise<Fixture> {
  return JSON.parse(await readFile(FIXTURE_FILE, 'utf8')) as Fixture;
}

export async function readPreviousWorker(fixture: Fixture): Promise<WorkerBundle> {
  return { ...fixture.worker, code: await readProgram('worker') };
}

export async function readProgram(name: keyof typeof PROGRAM_FILES): Promise<string> {
  return (await promisify(brotliDecompress)(await readFile(PROGRAM_FILES[name]))).toString();
}

/**
 * Fills a database that has the fixture's migrations and nothing else.
 *
 * All times are moved, as if the data had been made an hour ago: what ends after a day would have ended. Traffic is of
 * this month.
 */
export async function loadDump(database: Client, fixture: Fixture): Promise<void> {
  await database.query(await readFile(DUMP_FILE, 'utf8'));
  const { rows } = await database.query<{ statement: string }>(
    `select format('update %I set %s', table_name, string_agg(case data_type
       when 'date' then format('%1$I = (%1$I + (date_trunc(''month'', now()) - date_trunc(''month'', $1::timestamptz)))::date', column_name)
       else format('%1$I = %1$I + (now() - interval ''1 hour'' - $1::timestamptz)', column_name) end, ', ')) as statement
     from information_schema.columns
     where table_schema = 'public' and data_type in ('timestamp with time zone', 'date')
     group by table_name`,
  );
  for (const { statement } of rows) {
    await database.query(statement.replaceAll('$1::timestamptz', `'${fixture.madeAt}'::timestamptz`));
  }
}
