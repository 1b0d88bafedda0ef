import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs that suites need, and the Debian packages that bring them. */
const DEBIAN_PACKAGES = {
  curl: 'curl',
  ip: 'iproute2',
  iptables: 'iptables',
  jq: 'jq',
  nc: 'netcat-openbsd',
  openssl: 'openssl',
  pdns_server: 'pdns-server pdns-backend-sqlite3',
  pebble: 'pebble',
  psql: 'postgresql-client',
  'redis-server': 'redis-server',
  ssh: 'openssh-client',
  sshd: 'openssh-server',
} as const;

export type Program = keyof typeof DEBIAN_PACKAGES;

/**
 * For the `skip` option of a test: false when every program is there, otherwise the reason.
 *
 * @throws {Error} instead of skipping under `CI=true`.
 */
export function needs(...programs: Program[]): string | false {
  const missing = programs.filter((program) => findProgram(program) === null);
  if (missing.length === 0) return false;
  const packages = missing.map((program) => DEBIAN_PACKAGES[program]).join(' ');
  const reason = `${missing.join(', ')} not found (Debian: apt-get install ${packages})`;
  if (process.env['CI'] === 'true') throw new Error(`Cannot run this suite: ${reason}`);
  return reason;
}

/** Path of a program on PATH or in the administrator's folders; null when it is not there. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}
