// Everything that is released together has one version.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';

const read = async (path) => readFile(new URL(`../${path}`, import.meta.url), 'utf8');

test('every package, and what relays and the control plane say of themselves, has the version of package.json', async () => {
  const { version } = JSON.parse(await read('package.json'));
  const packages = (await readdir(new URL('../packages', import.meta.url))).map((name) => `packages/${name}`);
  for (const folder of ['relay', 'workers', 'bench', ...packages]) {
    assert.equal(JSON.parse(await read(`${folder}/package.json`)).version, version, folder);
  }
  for (const file of ['relay/src/version.ts', 'workers/src/version.ts']) {
    assert.match(await read(file), new RegExp(`VERSION = '${version.replaceAll('.', '\\.')}'`));
  }
});
