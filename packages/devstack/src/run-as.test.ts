import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { chooseRunAs } from './run-as.ts';

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
  assert.deepEqual(runAs, { prefix: [], ids: {}, owner: null });
});

test('chooseRunAs() runs as an unprivileged user for root when that one can enter', async () => {
  await chmod(dir, 0o711);
  const runAs = await chooseRunAs([join(inner, 'x')], { uid: 0, userNamespacesWork: fails });
  assert.deepEqual(runAs.prefix, []);
  assert.ok((runAs.ids.uid ?? 0) > 0);
  assert.deepEqual(runAs.owner, runAs.ids);
});

test('chooseRunAs() takes a user namespace for root in a folder closed to others', async () => {
  await chmod(dir, 0o700);
  const runAs = await chooseRunAs([join(inner, 'x')], { uid: 0, userNamespacesWork: works });
  assert.equal(runAs.prefix[0], 'unshare');
  assert.deepEqual([runAs.ids, runAs.owner], [{}, { uid: 0, gid: 0 }]);
});

test('chooseRunAs() names the closed folder and what to do when there is no way', async () => {
  await chmod(dir, 0o700);
  const message = new RegExp(`other users may not enter ${dir}\\. Move it to a folder`);
  await assert.rejects(chooseRunAs([join(inner, 'x')], { uid: 0, userNamespacesWork: fails }), message);
});
