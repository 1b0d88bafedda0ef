// `npm test`: installs and builds what is missing, then runs every test of the project on its own Node.
// `npm test -- <path or pattern> …` runs those only.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
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

// Fast ones first. What measures memory is alone; of the suites that start whole platforms, which mostly wait, two run
// at a time.
const isAlone = (path) => /\/hostile\.test\.ts$|-many\.test\.ts$/.test(path);
const isPlatform = (path) => /^packages\/devstack\/tests\/|^relay\/tests\//.test(path) && !isAlone(path);
const status =
  run(
    files.filter((path) => !isAlone(path) && !isPlatform(path)),
    Math.max(1, Math.min(4, availableParallelism())),
  ) |
  run(files.filter(isPlatform), 2) |
  run(files.filter(isAlone), 1);
process.exit(status);

/** Runs test files, some at a time. @returns 0: all have passed. */
function run(paths, concurrency) {
  if (paths.length === 0) return 0;
  const options = [
    ...['--test', `--test-concurrency=${concurrency}`, `--test-timeout=${FILE_TIMEOUT_MS}`],
    '--test-reporter=spec',
  ];
  return spawnSync(NODE, [...options, ...paths], { cwd: ROOT, stdio: 'inherit' }).status ?? 1;
}

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
