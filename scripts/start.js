// `npm start`: installs what is missing and runs the embedded platform until Ctrl-C. Plain JavaScript for Node ≥ 20.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, NODE, prepare, ROOT } from './prepare.js';

const SUPERVISOR = join(ROOT, 'packages', 'devstack', 'src', 'main.ts');
/** How often to look whether npm is still there. */
const OWNERS_INTERVAL_MS = 500;
/** What is left of the platform after its supervisor was killed has this long to end by itself. */
const GROUP_GRACE_MS = 5000;

await prepare();

// npm and its shell: when they were killed, nobody can press Ctrl-C any more, and the platform ends with them.
const owners = process.env.npm_lifecycle_event === undefined ? [] : npmProcesses();

const supervisor = spawn(NODE, [SUPERVISOR, [process.pid, ...owners].join(',')], {
  stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  // A process group of its own for the whole platform: Ctrl-C reaches this script only, which then stops all in order.
  detached: process.platform !== 'win32',
});
supervisor.on('error', (error) => fail(`Tunnox cannot start: ${error.message}`));

let asked = 0;
function stop() {
  asked += 1;
  if (asked === 1) supervisor.kill('SIGTERM');
  else signalGroup('SIGKILL');
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);

const watch = setInterval(() => {
  if (!owners.every(isRunning) && asked === 0) stop();
}, OWNERS_INTERVAL_MS);

supervisor.on('exit', (code, signal) => {
  clearInterval(watch);
  void endGroup().then(() => {
    if (signal !== null && asked === 0) fail(`The supervisor was ended by ${signal}; everything was stopped.`);
    process.exit(code ?? 0);
  });
});

/** Ends what a killed supervisor left. Postgres and workerd do not notice by themselves. */
async function endGroup() {
  for (const [signal, graceMs] of [
    ['SIGTERM', GROUP_GRACE_MS / 5],
    ['SIGINT', GROUP_GRACE_MS],
    ['SIGKILL', GROUP_GRACE_MS],
  ]) {
    for (const end = Date.now() + graceMs; Date.now() < end;) {
      if (!signalGroup(0)) return;
      signalGroup(signal);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** False when no process of the group is left. */
function signalGroup(signal) {
  try {
    process.kill(-supervisor.pid, signal);
    return true;
  } catch {
    return false;
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** The parent of this process, and the parent's parent when a shell stands between npm and this script. */
function npmProcesses() {
  const parent = process.ppid;
  try {
    const shell = /^(?:sh|dash|bash|zsh|ash|busybox)$/.test(readFileSync(`/proc/${parent}/comm`, 'utf8').trim());
    if (!shell) return [parent];
    const stat = readFileSync(`/proc/${parent}/stat`, 'utf8');
    return [parent, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])].filter((pid) => pid > 1);
  } catch {
    return [parent].filter((pid) => pid > 1);
  }
}
