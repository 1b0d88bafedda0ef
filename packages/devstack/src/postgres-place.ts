import { createHash, randomBytes } from 'node:crypto';
import { cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { createFileOnce, readTextFile } from '@tunnox/certificates/key-files';
import type { PostgresBinaries } from './postgres-binaries.ts';
import {
  chooseRunAs,
  dataOwner,
  firstClosedFolder,
  giveTo,
  type RunAs,
  type RunAsDeps,
  systemRunAsDeps,
} from './run-as.ts';

/** Where Postgres runs from and keeps its data, and as whom. */
export interface PostgresPlace {
  binaries: PostgresBinaries;
  dir: string;
  runAs: RunAs;
}

export interface PostgresPlaceDeps extends RunAsDeps {
  /** For what cannot stay where the clone is; the platform's own. */
  sharedDir: string;
}

const systemDeps: PostgresPlaceDeps = { ...systemRunAsDeps, sharedDir: '/var/lib/tunnox' };

/**
 * Finds a place for Postgres: `dir` itself, unless root started it in a folder that nobody else may enter and without
 * user namespaces (a container with the clone below /root). Then data (and binaries) go to `sharedDir`, and the file
 * `location` in `dir` says where: without that file a new place is taken, so removing `dir` starts afresh.
 */
export async function placePostgres(
  binaries: PostgresBinaries,
  dir: string,
  deps: PostgresPlaceDeps = systemDeps,
): Promise<PostgresPlace> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const runAs = await chooseRunAs([binaries.postgres, dir], deps);
  const owner = dataOwner(runAs);
  if (owner === null || runAs.kind !== 'closed') {
    if (owner !== null) await giveTo(owner, dir);
    return { binaries, dir: resolve(dir), runAs };
  }
  await mkdir(deps.sharedDir, { recursive: true, mode: 0o755 });
  const name = await createOrReadLocation(join(dir, 'location'));
  const moved = join(deps.sharedDir, name);
  await mkdir(moved, { recursive: true, mode: 0o700 });
  await giveTo(owner, moved);
  const closed = await firstClosedFolder([binaries.postgres], owner);
  return {
    binaries: closed === undefined ? binaries : await copyBinaries(binaries, deps.sharedDir),
    dir: moved,
    runAs: { kind: 'user', ids: owner },
  };
}

async function createOrReadLocation(file: string): Promise<string> {
  const text =
    (await readTextFile(file)) ?? (await createFileOnce(file, `data-${randomBytes(6).toString('hex')}\n`, 0o600));
  const name = text.trim();
  if (!/^data-[0-9a-f]{12}$/.test(name)) throw new Error(`Cannot find the database: ${file} is damaged`);
  return name;
}

/** Copies the folder of `bin/` once for each installed version. */
async function copyBinaries(binaries: PostgresBinaries, sharedDir: string): Promise<PostgresBinaries> {
  const source = dirname(dirname(binaries.postgres));
  const { mtimeMs, size } = await stat(binaries.postgres);
  const version = createHash('sha256').update(`${source} ${mtimeMs} ${size}`).digest('hex').slice(0, 12);
  const target = join(sharedDir, `postgres-${version}`);
  const there = await stat(target).catch(() => null);
  if (there === null) {
    const unfinished = `${target}.${process.pid}`;
    await cp(source, unfinished, { recursive: true, verbatimSymlinks: true });
    try {
      await rename(unfinished, target);
    } catch {
      // Another platform was quicker.
      await rm(unfinished, { recursive: true, force: true });
    }
  }
  return { initdb: join(target, 'bin', 'initdb'), postgres: join(target, 'bin', 'postgres') };
}
