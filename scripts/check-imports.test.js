// Proves that the import-rule tool still finds violations: it plants one of each kind in a copy of the sources.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['bench', 'packages', 'relay', 'scripts', 'workers'];
const FILES = ['.dependency-cruiser.cjs', 'package.json', 'pnpm-workspace.yaml', 'tsconfig.json', 'pnpm-lock.yaml'];

/** [file that is planted, what it imports, rule that must find it] */
const VIOLATIONS = [
  ['packages/domain/src/planted-platform.ts', 'node:fs', 'pure-packages'],
  ['packages/protocol/src/planted-schema.ts', '../../domain/node_modules/zod/index.js', 'zod-only-in-domain'],
  ['packages/streams/src/planted-relative.ts', '../../protocol/src/version.ts', 'packages-by-exports'],
  ['packages/agent/src/planted-testing.ts', '../../testing/src/needs.ts', 'testing-only-from-tests'],
  ['packages/agent/src/planted-test.ts', './backoff.test.ts', 'tests-are-not-imported'],
  ['packages/agent/src/planted-upwards.ts', '../../cli/src/version.ts', 'package-agent'],
  ['packages/streams/src/planted-sideways.ts', '../../agent/src/backoff.ts', 'package-streams'],
  ['relay/src/planted-database.ts', '../../packages/db/src/client.ts', 'relay-packages'],
  ['relay/src/planted-worker.ts', '../../workers/src/env.ts', 'relay-packages'],
  ['workers/src/planted-relay.ts', '../../relay/src/router/router.ts', 'workers-packages'],
  ['relay/src/listener/planted.ts', '../router/router.ts', 'relay-listener'],
  ['relay/src/proxy/planted.ts', '../session/ports.ts', 'relay-proxy'],
  ['workers/src/api/planted.ts', '../repositories/postgres.ts', 'workers-api'],
  ['workers/src/services/planted.ts', '../repositories/postgres.ts', 'workers-services'],
  ['relay/src/planted-cycle-a.ts', './planted-cycle-b.ts', 'no-cycles'],
  ['relay/src/planted-nowhere.ts', './no-such-file.ts', 'resolvable'],
];

let copy;
let report;

before(async () => {
  copy = await mkdtemp(join(tmpdir(), 'tunnox-imports-'));
  const filter = (path) => !['dist', '.cache', '.tunnox'].includes(basename(path));
  // Links to packages stay as they are: relative, so that they lead into the copy.
  for (const name of FOLDERS)
    await cp(join(ROOT, name), join(copy, name), { recursive: true, verbatimSymlinks: true, filter });
  for (const name of FILES) await cp(join(ROOT, name), join(copy, name));
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  for (const [file, imported] of VIOLATIONS) {
    await mkdir(join(copy, dirname(file)), { recursive: true });
    await writeFile(join(copy, file), `import * as planted from '${imported}';\nexport default planted;\n`);
  }
  await writeFile(join(copy, 'relay/src/planted-cycle-b.ts'), "export * from './planted-cycle-a.ts';\n");
  report = JSON.parse(await cruise(copy));
});
after(() => rm(copy, { recursive: true, force: true }));

for (const [file, imported, rule] of VIOLATIONS) {
  test(`The import rules find ${file} → ${imported} (${rule})`, () => {
    const found = report.summary.violations
      .filter((violation) => violation.from === file)
      .map(({ rule: { name } }) => name);
    assert.ok(found.includes(rule), `found for ${file}: ${found.join(', ') || 'nothing'}`);
  });
}

test('The import rules see every source file', async () => {
  const seen = new Set(report.modules.map(({ source }) => source));
  const missing = [];
  for await (const file of sources(FOLDERS)) if (!seen.has(file)) missing.push(file);
  assert.deepEqual(missing, []);
  assert.ok(seen.size > 300, `only ${seen.size} modules were seen`);
});

/** Every .ts and .js file below the folders of the copy, as the tool names it. */
async function* sources(folders) {
  for (const folder of folders) {
    for (const entry of await readdir(join(copy, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory() && entry.name !== 'node_modules') yield* sources([path]);
      else if (entry.isFile() && /\.(?:ts|js)$/.test(entry.name)) yield path;
    }
  }
}

function cruise(cwd) {
  const tool = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const args = [tool, '--config', '.dependency-cruiser.cjs', '-T', 'json', ...FOLDERS];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd, maxBuffer: 100 * 1024 * 1024 }, (error, stdout) => {
      // The tool's exit code is the number of violations.
      if (stdout === '') reject(error);
      else resolve(stdout);
    });
  });
}
