// Everything that is released together has one version.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';

const read = async (path) => readFile(new URL(`../${path}`, import.meta.url), 'utf8');

test('every package, and what a relay says of itself, has the version of package.json', async () => {
  const { version } = JSON.parse(await read('package.json'));
  const packages = (await readdir(new URL('../packages', import.meta.url))).map((name) => `packages/${name}`);
  for (const folder of ['relay', 'workers', 'bench', ...packages]) {
    assert.equal(JSON.parse(await read(`${folder}/package.json`)).version, version, folder);
  }
  assert.match(await read('relay/src/version.ts'), new RegExp(`VERSION = '${version.replaceAll('.', '\\.')}'`));
});
