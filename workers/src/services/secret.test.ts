import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sameSecret } from './secret.ts';

test('sameSecret() tells texts apart, whatever their lengths', () => {
  assert.ok(sameSecret('', ''));
  assert.ok(sameSecret('tnx_live_abc', 'tnx_live_abc'));
  for (const other of ['', 'tnx_live_abd', 'tnx_live_ab', 'tnx_live_abcd', 'TNX_LIVE_ABC']) {
    assert.ok(!sameSecret('tnx_live_abc', other), other);
  }
});
