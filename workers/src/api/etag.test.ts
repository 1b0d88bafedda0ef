import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseIfMatch } from './etag.ts';

test('parseIfMatch() reads lists of tags; weak ones and strange ones match nothing', () => {
  for (const [header, versions] of [
    [undefined, null],
    ['*', null],
    [' * ', null],
    ['"42"', [42]],
    ['"1", "2","3"', [1, 2, 3]],
    ['W/"42"', []],
    ['W/"1", "2"', [2]],
    ['"x"', []],
    ['"a,b", "7"', [7]],
    ['""', []],
    ['', []],
    ['"9999999999999999999"', []],
  ] as const) {
    assert.deepEqual(parseIfMatch(header), versions, header);
  }
});

test('parseIfMatch() refuses what is no list of tags', () => {
  for (const header of ['42', '"42', '"1" "2"', '*, "1"', 'w/"1"', '"1";', '\u0000']) {
    assert.throws(() => parseIfMatch(header), { code: 'malformed' }, header);
  }
});

test('parseIfMatch() gives every version that is in the list', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ version: fc.nat(), weak: fc.boolean() }), { minLength: 1 }), (tags) => {
      const header = tags.map(({ version, weak }) => `${weak ? 'W/' : ''}"${version}"`).join(', ');
      const strong = tags.filter(({ weak }) => !weak).map(({ version }) => version);
      assert.deepEqual(parseIfMatch(header), strong);
    }),
  );
});
