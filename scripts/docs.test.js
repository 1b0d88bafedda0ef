// The documents say what the code says.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';

const read = async (path) => readFile(new URL(`../${path}`, import.meta.url), 'utf8');

/** Everything that `pattern` captures in a file, once. */
async function named(path, pattern) {
  const found = new Set([...(await read(path)).matchAll(pattern)].map(([, name]) => name));
  assert.ok(found.size > 0, `${path} has something like ${pattern}`);
  return [...found];
}

test('docs/LIMITS.md quotes the code as it is', async () => {
  const text = await read('docs/LIMITS.md');
  const quotes = [...text.matchAll(/\| `([^`]+\.ts)`: `([^`]+)` \|$/gm)];
  assert.ok(quotes.length > 30, `${quotes.length} limits quote their code`);
  for (const [, path, quote] of quotes) {
    assert.ok((await read(path)).includes(quote), `${path} has no '${quote}'`);
  }
});

test('docs/FAILURE-MODES.md names every answer that a relay gives a visitor, and every refusal of an agent', async () => {
  const text = await read('docs/FAILURE-MODES.md');
  const refusals = (await read('packages/protocol/src/control-message.ts')).split('RefusedCode =')[1].split(';')[0];
  const codes = [
    ...(await named('relay/src/proxy/answer.ts', /code: '(\w+)'/g)),
    ...[...refusals.matchAll(/'(\w+)'/g)].map(([, code]) => code),
  ];
  for (const code of codes) assert.ok(text.includes(`\`${code}\``), `no line about '${code}'`);
});

test('README.md explains every setting of a relay and of the platform', async () => {
  const text = await read('README.md');
  const settings = [
    ...(await named('relay/src/config.ts', /^ {4}([A-Z_]+): (?!.*LOG_LEVEL)/gm)),
    ...(await named('packages/devstack/src/stack-config.ts', /^ {6}([A-Z_]+): /gm)),
  ];
  for (const setting of settings) assert.ok(text.includes(`\`${setting}\``), `no line about ${setting}`);
});

test('docs point at files that exist', async () => {
  for (const page of [
    'README.md',
    ...(await readdir(new URL('../docs', import.meta.url))).map((name) => `docs/${name}`),
  ]) {
    if (!page.endsWith('.md')) continue;
    const folder = page.startsWith('docs/') ? 'docs/' : '';
    for (const [, target] of (await read(page)).matchAll(/\]\((?!https?:)([^)#]+\.md)\)/g)) await read(folder + target);
  }
});
