import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { EXIT } from './exit-codes.ts';

test('EXIT codes each have a line in FAILURE-MODES.md', async () => {
  const text = await readFile(new URL('../../../docs/FAILURE-MODES.md', import.meta.url), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith('Exit codes'));
  const documented = [...(section ?? '').matchAll(/^\| (\d+) \| /gm)].map(([, code]) => Number(code));
  assert.deepEqual(documented, Object.values(EXIT));
});
