import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, rmdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { versionOf } from '../machine.ts';
import type { ProcessGroup } from '../process-group.ts';
import type { Peer } from '../subject.ts';
import { freePort } from '@tunnox/testing/free-port';
import { listening } from './listening.ts';

const HOST = '127.0.0.1';
/** sshd re-executes itself and wants its absolute path. */
const SSHD_PATHS = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/bin/sshd'];
/** Compiled into Debian's sshd, which refuses to run as root without it. */
const PRIVILEGE_SEPARATION_DIR = '/run/sshd';

/** `ssh -R` to a private sshd with keys made for this run; it touches nothing of the user's ssh. */
export const sshPeer: Peer = {
  name: 'ssh -R',
  start: async ({ target, group }) => {
    const version = await versionOf('ssh', ['-V']);
    const sshd = await firstThatRuns(SSHD_PATHS);
    if (version === null || sshd === null) return { kind: 'missing', reason: 'ssh or sshd is not installed' };
    const home = await group.tempDir();
    if (userInfo().uid === 0) await providePrivilegeSeparationDir(group);
    const ports = { sshd: await freePort(), bytes: await freePort(), http: await freePort() };
    await makeKeys(home);
    await writeFile(join(home, 'sshd_config'), serverConfig(home, ports.sshd));
    const server = group.start(sshd, ['-D', '-e', '-f', join(home, 'sshd_config')]);
    await listening(ports.sshd, server);
    const client = group.start('ssh', [
      ...clientOptions(home, ports.sshd),
      ...['-R', `${HOST}:${ports.bytes}:${target.bytes.host}:${target.bytes.port}`],
      ...['-R', `${HOST}:${ports.http}:${target.http.host}:${target.http.port}`],
      ...['-N', HOST],
    ]);
    await listening(ports.http, client);
    const session = await childrenOf(server.pid);
    return {
      kind: 'ready',
      version,
      subjects: [
        {
          name: 'ssh -R',
          layer: 'tcp',
          bytes: { host: HOST, port: ports.bytes },
          http: { host: HOST, port: ports.http },
          processes: { relay: session, agent: [client.pid] },
        },
      ],
    };
  },
};

async function firstThatRuns(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    // sshd has no version option of its own; any answer shows that it is there.
    if ((await versionOf(path, ['-?'])) !== null) return path;
  }
  return null;
}

async function providePrivilegeSeparationDir(group: ProcessGroup): Promise<void> {
  try {
    await mkdir(PRIVILEGE_SEPARATION_DIR, { mode: 0o755 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  group.defer(async () => rmdir(PRIVILEGE_SEPARATION_DIR));
}

async function makeKeys(home: string): Promise<void> {
  for (const name of ['host_key', 'user_key']) {
    await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(home, name)]);
  }
  await copyFile(join(home, 'user_key.pub'), join(home, 'authorized_keys'));
  await chmod(join(home, 'authorized_keys'), 0o600);
}

function serverConfig(home: string, port: number): string {
  return `ListenAddress ${HOST}
Port ${port}
HostKey ${join(home, 'host_key')}
AuthorizedKeysFile ${join(home, 'authorized_keys')}
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding yes
`;
}

function clientOptions(home: string, port: number): string[] {
  const options = {
    IdentityFile: join(home, 'user_key'),
    IdentitiesOnly: 'yes',
    UserKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'no',
    ExitOnForwardFailure: 'yes',
    BatchMode: 'yes',
    LogLevel: 'ERROR',
  };
  return [
    '-F',
    'none',
    '-p',
    String(port),
    ...Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
  ];
}

/** The processes of the one session that sshd serves (a monitor and its unprivileged child). */
async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=']);
  const pairs = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const found: number[] = [];
  for (const parents = [pid]; parents.length > 0;) {
    const parent = parents.pop();
    for (const [child, childsParent] of pairs) {
      if (child === undefined || childsParent !== parent) continue;
      found.push(child);
      parents.push(child);
    }
  }
  return found;
}
