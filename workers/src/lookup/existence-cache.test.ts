import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExistenceCache } from './existence-cache.ts';

test('ExistenceCache remembers a "no" for its time and a "yes" for good', () => {
  let now = 0;
  const cache = new ExistenceCache(() => now, { entriesMax: 10, negativeMs: 1000 });
  assert.equal(cache.state('a'), 'ask');
  cache.noteUnknown('a');
  cache.noteExists('b');
  assert.equal(cache.state('a'), 'unknown');
  now = 1000;
  assert.equal(cache.state('a'), 'ask');
  now = 1e9;
  assert.equal(cache.state('b'), 'exists');
});

test('ExistenceCache lets a "yes" replace a "no"', () => {
  const cache = new ExistenceCache(() => 0, { entriesMax: 10, negativeMs: 1000 });
  cache.noteUnknown('a');
  cache.noteExists('a');
  assert.equal(cache.state('a'), 'exists');
});

test('ExistenceCache stays bounded under a scan and forgets the oldest', () => {
  const cache = new ExistenceCache(() => 0, { entriesMax: 3, negativeMs: 1000 });
  for (let name = 0; name < 1000; name += 1) cache.noteUnknown(`scan-${name}`);
  for (const name of ['a', 'b', 'c', 'd']) cache.noteExists(name);
  const states = ['scan-996', 'scan-997', 'scan-998', 'scan-999', 'a', 'b', 'd'].map((name) => cache.state(name));
  assert.deepEqual(states, ['ask', 'unknown', 'unknown', 'unknown', 'ask', 'exists', 'exists']);
});
