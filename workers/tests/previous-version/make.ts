// Makes the files in data/ from a checkout of a release. See README.md.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import { bundleNodeProgram } from '@tunnox/devstack/node-bundle';
import { bundleWorker } from '@tunnox/devstack/worker-bundle';
import { Client } from 'pg';
import { startDatabase } from '../test-database.ts';
import { DATA, DUMP_FILE, type Facts, type Fixture, FIXTURE_FILE, PROGRAM_FILES } from './fixture.ts';
import { dumpSql, listTables, readRows } from './table-dump.ts';
import { useWorker } from './use-worker.ts';
import { WorkerOnDatabase } from './worker-on-database.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('Cannot make the fixture: name the folder with the checkout of the release\n');
  process.exit(2);
}
const checkout = resolve(folder);
const root = pathToFileURL(`${checkout}/`);
const bundle = await bundleWorker(root, { minify: true });
const keys = {
  operatorKey: `operator-key-of-a-fixture-${randomBytes(8).toString('hex')}`,
  encryptionKey: randomBytes(32).toString('base64'),
};

const postgres = await startDatabase();
const objects = await mkdtemp(join(tmpdir(), 'tunnox-previous-'));
try {
  // The release's own migrations, by the release's own code.
  execFileSync(process.execPath, [join(checkout, 'packages/db/src/migrate-main.ts')], {
    env: { ...process.env, DATABASE_URL: postgres.url },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const database = new Client({ connectionString: postgres.url });
  await database.connect();
  try {
    const facts = await fill(database);
    const empty: string[] = [];
    for (const table of await listTables(database)) {
      if ((await readRows(database, table)).length === 0) empty.push(table);
    }
    if (empty.length > 0) throw new Error(`Nothing was written to: ${empty.join(', ')}`);
    await mkdir(DATA, { recursive: true });
    await writeFile(DUMP_FILE, await dumpSql(database));
    await writeFile(FIXTURE_FILE, `${JSON.stringify(await describe(facts), null, 2)}\n`);
    await writeFile(PROGRAM_FILES.worker, await compress(bundle.code));
    await writeFile(PROGRAM_FILES.relay, await compress(await bundleNodeProgram(new URL('relay/src/main.ts', root))));
    const agent = await bundleNodeProgram(new URL('packages/cli/src/main.ts', root));
    await writeFile(PROGRAM_FILES.agent, await compress(agent));
  } finally {
    await database.end();
  }
} finally {
  await postgres.stop();
  await rm(objects, { recursive: true, force: true });
}

async function fill(database: Client): Promise<Facts> {
  const worker = await WorkerOnDatabase.start({ bundle, databaseUrl: postgres.url, storageDir: objects, ...keys });
  try {
    return await useWorker(worker, database);
  } catch (error) {
    process.stderr.write(`${worker.logLines.slice(-20).join('\n')}\n`);
    throw error;
  } finally {
    await worker.stop();
  }
}

async function describe(facts: Facts): Promise<Fixture> {
  const text = (path: string) => readFile(new URL(path, root), 'utf8');
  const { version } = JSON.parse(await text('package.json')) as { version: string };
  const journal = JSON.parse(await text('migrations/meta/_journal.json')) as { entries: { tag: string }[] };
  const migrations = await Promise.all(
    journal.entries.map(async ({ tag }) => ({ tag, hash: sha256(await text(`migrations/${tag}.sql`)) })),
  );
  const commit = execFileSync('git', ['-C', checkout, 'rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
  const { code: _, ...worker } = bundle;
  return { version, commit, madeAt: new Date().toISOString(), migrations, worker, ...keys, facts };
}

function compress(code: string): Promise<Buffer> {
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  return promisify(brotliCompress)(code, { params });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
