// `pnpm migrate`: brings the database in DATABASE_URL to the newest schema.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const node = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
const { status, error } = spawnSync(node, ['packages/db/src/migrate-main.ts'], { cwd: root, stdio: 'inherit' });
if (error !== undefined) {
  process.stderr.write(`Cannot start the project's Node (run \`pnpm install\` first): ${error.message}\n`);
}
process.exitCode = status ?? 1;
