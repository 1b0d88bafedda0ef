// `npm test`: installs and builds what is missing, then runs every test of the project on its own Node.
// `npm test -- <path or pattern> …` runs those only.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { NODE, prepare, ROOT } from './prepare.js';

/** Files at a time: these start processes, and a laptop has few cores. */
const UNIT_CONCURRENCY = 2;
/** Suites of several processes measure memory and time: one at a time. */
const SYSTEM_CONCURRENCY = 1;

await prepare();

const wanted = process.argv.slice(2).map((pattern) => relative(ROOT, join(process.cwd(), pattern)));
const files = [...testFiles(ROOT)]
  .map((path) => relative(ROOT, path))
  .filter((path) => wanted.length === 0 || wanted.some((prefix) => path.startsWith(prefix)))
  .toSorted();
const isSystem = (path) => /(?:^|\/)tests\//.test(path);
const runs = [
  ['Beside the source', files.filter((path) => !isSystem(path)), UNIT_CONCURRENCY],
  ['Whole system', files.filter(isSystem), SYSTEM_CONCURRENCY],
].filter(([, list]) => list.length > 0);

if (runs.length === 0) {
  process.stderr.write(`No test file matches ${process.argv.slice(2).join(' ')}\n`);
  process.exit(1);
}
const failed = runs.filter(([title, list, concurrency]) => {
  process.stdout.write(`\n${title}: ${list.length} files\n\n`);
  const args = ['--test', `--test-concurrency=${concurrency}`, '--test-reporter=spec', ...list];
  return spawnSync(NODE, args, { cwd: ROOT, stdio: 'inherit' }).status !== 0;
});
process.exit(failed.length > 0 ? 1 : 0);

function* testFiles(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules' && entry.name !== 'dist' && !entry.name.startsWith('.')) yield* testFiles(path);
    } else if (/\.test\.(?:ts|js)$/.test(entry.name)) {
      yield path;
    }
  }
}
