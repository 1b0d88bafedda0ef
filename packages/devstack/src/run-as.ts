import { execFile } from 'node:child_process';
import { chown, lchown, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

/** How to run a program that refuses to run as root. */
export interface RunAs {
  /** Put before the command, such as `unshare …`. */
  prefix: string[];
  /** For `spawn`; absent: as this process. */
  ids: { uid?: number; gid?: number };
  /** Who must own the program's data. */
  owner: { uid: number; gid: number } | null;
}

export interface RunAsDeps {
  uid: number | undefined;
  userNamespacesWork: () => Promise<boolean>;
}

const systemDeps: RunAsDeps = { uid: process.getuid?.(), userNamespacesWork };

/** Users that exist for this purpose, best first. */
const UNPRIVILEGED_USERS = ['postgres', 'nobody'];

/**
 * Chooses how to run Postgres. An ordinary user runs it as himself. Root runs it as an unprivileged user when that user
 * can enter all of `paths`; otherwise (a clone below /root) in a user namespace, where root is seen as somebody else.
 *
 * @throws {Error} with what to do, when neither is possible.
 */
export async function chooseRunAs(paths: string[], deps: RunAsDeps = systemDeps): Promise<RunAs> {
  if (deps.uid !== 0) return { prefix: [], ids: {}, owner: null };
  const user = await findUnprivilegedUser();
  const closed = user === null ? undefined : await firstClosedFolder(paths, user);
  if (user !== null && closed === undefined) return { prefix: [], ids: user, owner: user };
  if (await deps.userNamespacesWork()) {
    const mapped = user ?? { uid: 65_534, gid: 65_534 };
    return {
      prefix: ['unshare', '--user', `--map-user=${mapped.uid}`, `--map-group=${mapped.gid}`, '--'],
      ids: {},
      owner: { uid: 0, gid: 0 },
    };
  }
  throw new Error(
    closed === undefined
      ? `Cannot start Postgres as root: there is no user ${UNPRIVILEGED_USERS.join(' or ')} to run it as; start as an ordinary user`
      : `Cannot start Postgres as root: other users may not enter ${closed}. ` +
        'Move it to a folder that they may enter (such as /opt or /srv), or start as an ordinary user',
  );
}

/** Gives a folder and all below to `owner`. */
export async function giveTo(owner: { uid: number; gid: number }, path: string): Promise<void> {
  const current = await stat(path);
  if (current.uid === owner.uid) return;
  for (const entry of await readdir(path, { recursive: true })) await lchown(join(path, entry), owner.uid, owner.gid);
  // Last, so that an interrupted run starts again.
  await chown(path, owner.uid, owner.gid);
}

async function findUnprivilegedUser(): Promise<{ uid: number; gid: number } | null> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const users = new Map(text.split('\n').map((line) => [line.split(':')[0], line.split(':')]));
  for (const name of UNPRIVILEGED_USERS) {
    const [, , uid, gid] = users.get(name) ?? [];
    if (uid !== undefined && gid !== undefined && Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  return null;
}

/** The outermost folder above one of the paths that the user may not enter. */
async function firstClosedFolder(paths: string[], user: { uid: number; gid: number }): Promise<string | undefined> {
  for (const path of paths) {
    const folders: string[] = [];
    for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
      folders.unshift(folder);
      if (folder === dirname(folder)) break;
    }
    for (const folder of folders) {
      const { mode, uid, gid } = await stat(folder);
      const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
      if ((mode & bit) === 0) return folder;
    }
  }
  return undefined;
}

async function userNamespacesWork(): Promise<boolean> {
  try {
    await promisify(execFile)('unshare', ['--user', '--map-user=65534', '--map-group=65534', '--', 'true'], {
      timeout: 5000,
    });
    return true;
  } catch {
    return false;
  }
}
