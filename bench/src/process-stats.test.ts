import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePsTime, parseStat, processStats } from './process-stats.ts';

test('parseStat() reads user and system time behind a name with blanks and brackets', () => {
  const fields = ['S', '1', '1', '1', '0', '-1', '4194560', '9', '9', '0', '0', '150', '50', '0', '0'];
  assert.equal(parseStat(`42 (a) b (c) ${fields.join(' ')}`), 2);
});

test('parsePsTime() reads every form of ps', () => {
  assert.equal(parsePsTime('0:01.50'), 1.5);
  assert.equal(parsePsTime('01:02:03'), 3723);
  assert.equal(parsePsTime('1-00:00:01'), 86_401);
});

test('processStats() sees this process, and nothing of one that is not there', async () => {
  const { rssBytes, cpuSeconds } = await processStats([process.pid]);
  assert.ok(rssBytes > 1_000_000);
  assert.ok(cpuSeconds >= 0);
  assert.deepEqual(await processStats([2 ** 30]), { cpuSeconds: 0, rssBytes: 0 });
});
