import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chunksByName } from './chunks-by-name.ts';

const chunked = (text: string, size: number) => chunksByName([...text], (c) => c, size).map((chunk) => chunk.join(''));

test('chunksByName() keeps a name together where it can', () => {
  assert.deepEqual(chunked('', 3), []);
  assert.deepEqual(chunked('abc', 3), ['abc']);
  assert.deepEqual(chunked('aabbc', 3), ['aa', 'bbc']);
  assert.deepEqual(chunked('aaaab', 3), ['aaa', 'ab']);
  assert.deepEqual(chunked('abaab', 3), ['aaa', 'bb']);
});

test('chunksByName() loses nothing, keeps the order of a name, and no chunk is too large or empty', () => {
  const items = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer()));
  fc.assert(
    fc.property(items, fc.integer({ min: 1, max: 5 }), (all, size) => {
      const chunks = chunksByName(all, ([name]) => name, size);
      assert.ok(chunks.every((chunk) => chunk.length > 0 && chunk.length <= size));
      for (const name of 'abcd') {
        const of = (list: [string, number][]) => list.filter(([one]) => one === name);
        assert.deepEqual(of(chunks.flat()), of(all));
      }
    }),
  );
});
