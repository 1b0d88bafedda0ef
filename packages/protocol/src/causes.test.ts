import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { CAUSES, isCause } from './causes.ts';

test('CAUSES each have a line in FAILURE-MODES.md, with status and whether another upstream is tried', async () => {
  const text = await readFile(new URL('../../../docs/FAILURE-MODES.md', import.meta.url), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith('Causes of a tunnel'));
  const lines = [...(section ?? '').matchAll(/^\| `(\w+)` \| (\d+) \| (yes|no) \|/gm)];
  const documented = lines.map(([, cause, status, other]) => [
    cause,
    { status: Number(status), safeToRetry: other === 'yes' },
  ]);
  assert.deepEqual(Object.fromEntries(documented), { ...CAUSES });
});

test('isCause() knows the catalogue and nothing inherited', () => {
  assert.equal(isCause('refused'), true);
  assert.equal(isCause('toString'), false);
  assert.equal(isCause(undefined), false);
});
