import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { ERROR_CODES } from './error-codes.ts';

test('ERROR_CODES each have a line in FAILURE-MODES.md, with status and whether to try again', async () => {
  const text = await readFile(new URL('../../../docs/FAILURE-MODES.md', import.meta.url), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith('Errors of the API'));
  const lines = [...(section ?? '').matchAll(/^\| `(\w+)` \| (\d+) \| (yes|no) \|/gm)];
  const documented = lines.map(([, code, status, again]) => [
    code,
    { status: Number(status), retryable: again === 'yes' },
  ]);
  const expected = Object.entries(ERROR_CODES).map(([code, { status, retryable }]) => [code, { status, retryable }]);
  assert.deepEqual(Object.fromEntries(documented), Object.fromEntries(expected));
});
