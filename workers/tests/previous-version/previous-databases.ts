import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import { Client } from 'pg';
import { startDatabase, type TestDatabase } from '../test-database.ts';
import { type Fixture, loadDump } from './fixture.ts';

export const MIGRATIONS = new URL('../../../migrations/', import.meta.url);

/** Databases as the previous version has left them. */
export class PreviousDatabases {
  readonly #fixture: Fixture;
  readonly #server: TestDatabase;
  /** Folder with the migrations that the previous version had. */
  readonly #migrationsFolder: string;

  private constructor(fixture: Fixture, server: TestDatabase, migrationsFolder: string) {
    this.#fixture = fixture;
    this.#server = server;
    this.#migrationsFolder = migrationsFolder;
  }

  static async start(fixture: Fixture): Promise<PreviousDatabases> {
    const migrationsFolder = await copyMigrations(fixture);
    return new PreviousDatabases(fixture, await startDatabase(), migrationsFolder);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    await rm(this.#migrationsFolder, { recursive: true, force: true });
  }

  urlOf(name: string): string {
    const url = new URL(this.#server.url);
    url.pathname = `/${name}`;
    return url.toString();
  }

  /** Makes one more. @returns A connection to it. */
  async open(name: string): Promise<Client> {
    const admin = new Client({ connectionString: this.#server.url });
    await admin.connect();
    await admin.query(`create database ${name}`);
    await admin.end();
    const database = new Client({ connectionString: this.urlOf(name) });
    await database.connect();
    await applyMigrations(drizzle({ client: database }), { migrationsFolder: this.#migrationsFolder });
    await loadDump(database, this.#fixture);
    return database;
  }
}

async function copyMigrations({ migrations }: Fixture): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tunnox-migrations-'));
  await mkdir(join(folder, 'meta'));
  const journal = JSON.parse(await readFile(new URL('meta/_journal.json', MIGRATIONS), 'utf8')) as {
    entries: { tag: string }[];
  };
  const entries = journal.entries.slice(0, migrations.length);
  assert.deepEqual(
    entries.map(({ tag }) => tag),
    migrations.map(({ tag }) => tag),
  );
  await writeFile(join(folder, 'meta/_journal.json'), JSON.stringify({ ...journal, entries }));
  for (const { tag } of entries) {
    await copyFile(fileURLToPath(new URL(`${tag}.sql`, MIGRATIONS)), join(folder, `${tag}.sql`));
  }
  return folder;
}
