// What `npm start` and `npm test` need before anything of the project can run: dependencies and the built command.
// Plain JavaScript for Node ≥ 20 without any package.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** The Node that the project runs on: a dependency, whatever Node this script runs on. */
export const NODE = join(ROOT, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

const PNPM = 'pnpm@12.21.0';
const NODE_MIN = [20, 12];
/** Folders whose code is bundled into the command. */
const COMMAND_SOURCES = ['cli', 'agent', 'api-client', 'streams', 'protocol', 'domain'].map((name) =>
  join(ROOT, 'packages', name, 'src'),
);
const COMMAND = join(ROOT, 'packages', 'cli', 'dist', 'main.js');

/** Ends this process with a message unless everything is there; installs and builds what is missing. */
export async function prepare() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
    fail(`Node ${process.versions.node} is too old: Tunnox needs ${NODE_MIN.join('.')} or newer (https://nodejs.org).`);
  }
  if (!isInstalled()) await install();
  if (!isBuilt()) await build();
}

/** @returns {never} */
export function fail(message) {
  process.stderr.write(`\n${message}\n`);
  process.exit(1);
}

/** pnpm keeps a copy of the lock file that it installed. */
function isInstalled() {
  const installed = join(ROOT, 'node_modules', '.pnpm', 'lock.yaml');
  if (!existsSync(installed) || !existsSync(NODE)) return false;
  return readFileSync(installed).equals(readFileSync(join(ROOT, 'pnpm-lock.yaml')));
}

async function install() {
  process.stdout.write('Installing what is missing (once; a minute or two) …\n');
  const args = [
    '--yes',
    PNPM,
    'install',
    '--frozen-lockfile',
    '--reporter=append-only',
    '--config.confirmModulesPurge=false',
  ];
  const { code, output } = await run(process.platform === 'win32' ? 'npx.cmd' : 'npx', args);
  if (code === 0) return;
  if (/ENOSPC|no space left/i.test(output)) {
    fail('The packages could not be installed: the disk is full. Free some space and try again.');
  }
  if (/EACCES|EROFS|EPERM/.test(output)) {
    fail(
      `The packages could not be installed: ${ROOT} or the cache of npm (npm config get cache) cannot be written by this user.`,
    );
  }
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|FETCH_FAIL|network/i.test(output)) {
    fail(
      'The packages could not be installed: the npm registry cannot be reached.\n' +
        'The first start needs the internet (or a registry of your own: npm config set registry <url>); later ones do not.',
    );
  }
  fail('The packages could not be installed; the reason stands above.');
}

function isBuilt() {
  if (!existsSync(COMMAND)) return false;
  const builtAt = statSync(COMMAND).mtimeMs;
  return COMMAND_SOURCES.every((folder) => newest(folder) < builtAt);
}

function newest(folder) {
  const entries = readdirSync(folder, { recursive: true });
  return Math.max(0, ...entries.map((entry) => statSync(join(folder, String(entry))).mtimeMs));
}

async function build() {
  const { code } = await run(NODE, [join(ROOT, 'scripts', 'build.js')]);
  if (code !== 0) fail('The tunnox command could not be built; the reason stands above.');
}

/** Runs a command, shows its output and keeps the end of it. */
function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      // Without a network npm would try for more than a minute before it says so.
      env: { npm_config_fetch_retry_mintimeout: '1000', npm_config_fetch_retry_maxtimeout: '5000', ...process.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    let output = '';
    for (const [stream, target] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      stream.on('data', (chunk) => {
        target.write(chunk);
        output = (output + chunk).slice(-20_000);
      });
    }
    child.on('error', (error) => resolve({ code: 1, output: `${output}${error.message}` }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
