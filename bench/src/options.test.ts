import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MEASURES, parseOptions } from './options.ts';

test('parseOptions() measures everything in five rounds by default', () => {
  assert.deepEqual(parseOptions([], '/results'), {
    measures: MEASURES,
    peers: [],
    quick: false,
    repeats: 5,
    resultsDir: '/results',
  });
});

test('parseOptions() takes the separator that pnpm hands on, and keeps the running order', () => {
  const options = parseOptions(['--', '--quick', '--only', 'bulk, http'], '/results');
  assert.ok(options !== 'help');
  assert.deepEqual(options.measures, ['http', 'bulk']);
  assert.equal(options.repeats, 3);
});

test('parseOptions() refuses what it does not know', () => {
  assert.throws(() => parseOptions(['--only', 'bulk,nothing'], '/results'), /Cannot measure 'nothing'/);
  assert.throws(() => parseOptions(['--repeats', '0'], '/results'), /must be 1 to 100/);
  assert.throws(() => parseOptions(['--wat'], '/results'), /--wat/);
});
