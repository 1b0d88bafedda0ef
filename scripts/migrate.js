// `pnpm migrate`: brings the database in DATABASE_URL to the newest schema.
import { spawnSync } from 'node:child_process';
import { fail, NODE, prepare, ROOT } from './prepare.js';

await prepare();
const { status, error } = spawnSync(NODE, ['packages/db/src/migrate-main.ts'], { cwd: ROOT, stdio: 'inherit' });
if (error !== undefined) fail(`Cannot start Node at ${NODE}: ${error.message}`);
process.exitCode = status ?? 1;
