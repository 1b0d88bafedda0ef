// docs/LIMITS.md says what the code says.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const root = new URL('../', import.meta.url);

test('docs/LIMITS.md quotes the code as it is', async () => {
  const text = await readFile(new URL('docs/LIMITS.md', root), 'utf8');
  const quotes = [...text.matchAll(/\| `([^`]+\.ts)`: `([^`]+)` \|$/gm)];
  assert.ok(quotes.length > 30, `${quotes.length} limits quote their code`);
  for (const [, path, quote] of quotes) {
    const source = await readFile(new URL(path, root), 'utf8');
    assert.ok(source.includes(quote), `${path} has no '${quote}'`);
  }
});
