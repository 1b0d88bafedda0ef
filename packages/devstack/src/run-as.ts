import { execFile } from 'node:child_process';
import { chown, lchown, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

export interface UserIds {
  uid: number;
  gid: number;
}

/** How to run a program that refuses to run as root. */
export type RunAs =
  /** As this process: an ordinary user. */
  | { kind: 'self' }
  /** As another user, who must own the program's data. */
  | { kind: 'user'; ids: UserIds }
  /** In a user namespace, where root is seen as `ids`; its files are root's. */
  | { kind: 'namespace'; ids: UserIds }
  /** As another user, who may not enter this folder: what is below has to be moved first. */
  | { kind: 'closed'; ids: UserIds; folder: string };

export interface RunAsDeps {
  uid: number | undefined;
  userNamespacesWork: () => Promise<boolean>;
}

/** Users that exist for this purpose, best first. */
const UNPRIVILEGED_USERS = ['postgres', 'nobody'];
const OVERFLOW_ID = 65_534;

export const systemRunAsDeps: RunAsDeps = { uid: process.getuid?.(), userNamespacesWork };

/**
 * Chooses how to run a program that has to enter all of `paths`. An ordinary user runs it as himself; root as an
 * unprivileged user when that one can enter, otherwise (a clone below /root) in a user namespace. In most containers
 * there are no user namespaces: then the folder that is in the way is named.
 */
export async function chooseRunAs(paths: string[], deps: RunAsDeps = systemRunAsDeps): Promise<RunAs> {
  if (deps.uid !== 0) return { kind: 'self' };
  const ids = (await findUnprivilegedUser()) ?? { uid: OVERFLOW_ID, gid: OVERFLOW_ID };
  const folder = await firstClosedFolder(paths, ids);
  if (folder === undefined) return { kind: 'user', ids };
  if (await deps.userNamespacesWork()) return { kind: 'namespace', ids };
  return { kind: 'closed', ids, folder };
}

/** What stands before the command. */
export function commandPrefix(runAs: RunAs): string[] {
  if (runAs.kind !== 'namespace') return [];
  return ['unshare', '--user', `--map-user=${runAs.ids.uid}`, `--map-group=${runAs.ids.gid}`, '--'];
}

/** Who must own the program's data; null: whoever does. */
export function dataOwner(runAs: RunAs): UserIds | null {
  switch (runAs.kind) {
    case 'self':
      return null;
    case 'namespace':
      return { uid: 0, gid: 0 };
    case 'user':
    case 'closed':
      return runAs.ids;
  }
}

/** Gives a folder and all below to `owner`. */
export async function giveTo(owner: UserIds, path: string): Promise<void> {
  const current = await stat(path);
  if (current.uid === owner.uid) return;
  for (const entry of await readdir(path, { recursive: true })) await lchown(join(path, entry), owner.uid, owner.gid);
  // Last, so that an interrupted run starts again.
  await chown(path, owner.uid, owner.gid);
}

/** The outermost folder above one of the paths that the user may not enter. */
export async function firstClosedFolder(paths: string[], user: UserIds): Promise<string | undefined> {
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

async function findUnprivilegedUser(): Promise<UserIds | null> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const users = new Map(text.split('\n').map((line) => [line.split(':')[0], line.split(':')]));
  for (const name of UNPRIVILEGED_USERS) {
    const [, , uid, gid] = users.get(name) ?? [];
    if (uid !== undefined && gid !== undefined && Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  return null;
}

async function userNamespacesWork(): Promise<boolean> {
  try {
    const ids = [`--map-user=${OVERFLOW_ID}`, `--map-group=${OVERFLOW_ID}`];
    await promisify(execFile)('unshare', ['--user', ...ids, '--', 'true'], { timeout: 5000 });
    return true;
  } catch {
    return false;
  }
}
