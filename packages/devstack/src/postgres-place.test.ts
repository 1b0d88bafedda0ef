import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { placePostgres } from './postgres-place.ts';

const asRoot = process.getuid?.() === 0;

let root: string;
let binaries: { initdb: string; postgres: string };
let dir: string;
let deps: { uid: number; userNamespacesWork: () => Promise<boolean>; sharedDir: string };
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tunnox-place-'));
  await chmod(root, 0o755);
  // A clone below a folder that is closed to others, as /root is.
  const bin = join(root, 'closed', 'native', 'bin');
  await mkdir(bin, { recursive: true });
  for (const name of ['initdb', 'postgres']) await writeFile(join(bin, name), name, { mode: 0o755 });
  await chmod(join(root, 'closed'), 0o700);
  binaries = { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
  dir = join(root, 'closed', 'home', 'postgres');
  deps = { uid: 0, userNamespacesWork: async () => false, sharedDir: join(root, 'shared') };
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('placePostgres() leaves everything in place for an ordinary user', async () => {
  const place = await placePostgres(binaries, dir, { ...deps, uid: 1000 });
  assert.deepEqual(place, { binaries, dir, runAs: { kind: 'self' } });
});

test(
  'placePostgres() moves data and binaries out of a closed folder for root, and finds them again',
  { skip: !asRoot && 'only root can give files away' },
  async () => {
    const place = await placePostgres(binaries, dir, deps);
    assert.equal(place.runAs.kind, 'user');
    for (const path of [place.dir, place.binaries.postgres, place.binaries.initdb]) {
      assert.ok(path.startsWith(`${deps.sharedDir}/`), path);
    }
    const { uid, mode } = await stat(place.dir);
    assert.ok(uid > 0);
    assert.equal(mode & 0o777, 0o700);
    assert.deepEqual(await placePostgres(binaries, dir, deps), place);
  },
);

test(
  'placePostgres() takes a new place when the folder was removed',
  { skip: !asRoot && 'only root can give files away' },
  async () => {
    const before = await placePostgres(binaries, dir, deps);
    await rm(dir, { recursive: true });
    assert.notEqual((await placePostgres(binaries, dir, deps)).dir, before.dir);
  },
);
