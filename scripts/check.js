// `pnpm check`: format, lint with types, types, import rules, dead code. Everything that is wrong is shown, not the first.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fail, NODE, prepare, ROOT } from './prepare.js';

/** Folders whose imports are checked. */
const IMPORT_ROOTS = ['bench', 'packages', 'relay', 'scripts', 'workers'];

/** Slowest first. */
const CHECKS = [
  ['types of the Worker', 'typescript/bin/tsc', ['--noEmit', '-p', 'workers/tsconfig.json']],
  ['types', 'typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.json']],
  ['lint', 'oxlint/bin/oxlint', ['--type-aware', '--deny-warnings']],
  ['dead code', 'knip/bin/knip.js', ['--no-progress']],
  [
    'import rules',
    'dependency-cruiser/bin/dependency-cruiser.mjs',
    ['--config', '.dependency-cruiser.cjs', ...IMPORT_ROOTS],
  ],
  ['format', 'oxfmt/bin/oxfmt', ['--check', '.']],
];

await prepare();
const startedAt = performance.now();
const waiting = [...CHECKS];
const failed = [];
await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
if (failed.length > 0) fail(`${failed.join(', ')}: not in order (${seconds} s)`);
process.stdout.write(`All in order (${seconds} s)\n`);

async function worker() {
  for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
    const [name, script, args] = check;
    const begun = performance.now();
    const { code, output } = await run(script, args);
    const took = `${((performance.now() - begun) / 1000).toFixed(1)} s`;
    process.stdout.write(code === 0 ? `✔ ${name} (${took})\n` : `✖ ${name} (${took})\n${output}\n`);
    if (code !== 0) failed.push(name);
  }
}

function run(script, args) {
  return new Promise((resolve) => {
    const child = spawn(NODE, [`node_modules/${script}`, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ code: 1, output: error.message }));
    child.on('close', (code) => resolve({ code: code ?? 1, output: output.trimEnd() }));
  });
}
