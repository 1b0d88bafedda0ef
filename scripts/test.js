// `npm test`: installs and builds what is missing, then runs every test of the project on its own Node.
// `npm test -- <path or pattern> …` runs those only.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { NODE, prepare, ROOT } from './prepare.js';

/** A test file that hangs is cut after this long; the slowest wait for minutes on purpose. */
const FILE_TIMEOUT_MS = 15 * 60_000;

await prepare();

const wanted = process.argv.slice(2).map((pattern) => relative(ROOT, join(process.cwd(), pattern)));
const files = [...testFiles(ROOT)]
  .map((path) => relative(ROOT, path))
  .filter((path) => wanted.length === 0 || wanted.some((prefix) => path.startsWith(prefix)))
  .toSorted();
if (files.length === 0) {
  process.stderr.write(`No test file matches ${process.argv.slice(2).join(' ')}\n`);
  process.exit(1);
}

// Fast ones first. One file at a time: suites of several processes measure time and memory, and the summary is one.
const isSystem = (path) => /(?:^|\/)tests\//.test(path);
const ordered = [...files.filter((path) => !isSystem(path)), ...files.filter(isSystem)];
const options = ['--test', '--test-concurrency=1', `--test-timeout=${FILE_TIMEOUT_MS}`, '--test-reporter=spec'];
const { status } = spawnSync(NODE, [...options, ...ordered], { cwd: ROOT, stdio: 'inherit' });
process.exit(status ?? 1);

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
