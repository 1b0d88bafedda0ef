import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findProgram } from '@tunnox/testing/needs';
import { freePort } from '@tunnox/testing/free-port';
import { run } from './lines.ts';

export interface SshServer {
  port: number;
  /** Options of `ssh` up to, not including, port and host. */
  clientArguments: string[];
  stop: () => Promise<void>;
}

/** A real sshd on loopback with keys of its own, for the user that runs the test. */
export async function startSshServer(): Promise<SshServer> {
  const folder = await mkdtemp(join(tmpdir(), 'tunnox-sshd-'));
  const port = await freePort();
  const hostKey = join(folder, 'host-key');
  const userKey = join(folder, 'user-key');
  for (const key of [hostKey, userKey]) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const authorized = join(folder, 'authorized');
  await writeFile(authorized, await readFile(`${userKey}.pub`), { mode: 0o600 });
  // sshd started as root insists on this folder for its unprivileged half.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true });
  const options = {
    Port: port,
    ListenAddress: '127.0.0.1',
    HostKey: hostKey,
    AuthorizedKeysFile: authorized,
    StrictModes: 'no',
    PidFile: 'none',
    UsePAM: 'no',
  };
  const sshd = findProgram('sshd') ?? 'sshd';
  const settings = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const child = spawn(sshd, ['-D', '-e', '-f', '/dev/null', ...settings], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stderr })) {
    if (line.includes('Server listening')) break;
  }
  child.stderr.resume();
  return {
    port,
    clientArguments: [
      ...['-i', userKey, '-l', userInfo().username, '-F', '/dev/null'],
      ...['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'BatchMode=yes'].flatMap(
        (option) => ['-o', option],
      ),
    ],
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
