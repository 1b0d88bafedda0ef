import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { chooseRunAs, commandPrefix, dataOwner } from './run-as.ts';

let dir: string;
let inner: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunnox-run-as-'));
  inner = join(dir, 'clone');
  await mkdir(inner);
});
afterEach(() => rm(dir, { recursive: true, force: true }));
const works = async () => true;
const fails = async () => false;

test('chooseRunAs() runs as the ordinary user who asks', async () => {
  const runAs = await chooseRunAs([join(inner, 'x')], { uid: 1000, userNamespacesWork: fails });
  assert.deepEqual(runAs, { kind: 'self' });
  assert.equal(dataOwner(runAs), null);
});

test('chooseRunAs() runs as an unprivileged user for root when that one can enter', async () => {
  await chmod(dir, 0o711);
  const runAs = await chooseRunAs([join(inner, 'x')], { uid: 0, userNamespacesWork: fails });
  assert.equal(runAs.kind, 'user');
  assert.ok((dataOwner(runAs)?.uid ?? 0) > 0);
});

test('chooseRunAs() takes a user namespace for root in a folder closed to others', async () => {
  await chmod(dir, 0o700);
  const runAs = await chooseRunAs([join(inner, 'x')], { uid: 0, userNamespacesWork: works });
  assert.equal(commandPrefix(runAs)[0], 'unshare');
  assert.deepEqual(dataOwner(runAs), { uid: 0, gid: 0 });
});

test('chooseRunAs() names the closed folder when there are no user namespaces', async () => {
  await chmod(dir, 0o700);
  const runAs = await chooseRunAs([join(inner, 'x')], { uid: 0, userNamespacesWork: fails });
  assert.equal(runAs.kind === 'closed' ? runAs.folder : undefined, dir);
});
