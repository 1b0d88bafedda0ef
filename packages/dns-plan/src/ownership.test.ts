import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearsMark, ownershipMark } from './ownership.ts';

test('bearsMark() knows the mark of its own zone, also among what people add', () => {
  const mark = ownershipMark('abc123def456');
  for (const comment of [mark, `${mark} node_group eu`, `${mark}; do not edit`, `seen: ${mark}`]) {
    assert.ok(bearsMark(comment, 'abc123def456'), comment);
  }
  for (const comment of [null, undefined, '', 'tunnox', 'tunnox:abc', `x${mark}`, `${mark}7`, 'tunnox:000000000000']) {
    assert.ok(!bearsMark(comment, 'abc123def456'), String(comment));
  }
});

test('ownershipMark() refuses a tag that could not be found again', () => {
  assert.throws(() => ownershipMark('two words'));
});
