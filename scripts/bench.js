// `pnpm bench`: runs the benchmark on the project's Node; arguments are passed on.
import { spawnSync } from 'node:child_process';
import { NODE, prepare, ROOT } from './prepare.js';

await prepare();
const { status } = spawnSync(NODE, ['bench/src/main.ts', ...process.argv.slice(2)], { cwd: ROOT, stdio: 'inherit' });
process.exit(status ?? 1);
