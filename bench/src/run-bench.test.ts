import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MEASURES } from './options.ts';
import { ProcessGroup } from './process-group.ts';
import { runBench } from './run-bench.ts';
import type { BenchSettings } from './settings.ts';

const TINY: BenchSettings = {
  httpGenerator: 'own',
  idle: { levels: [5], settleMs: 10 },
  opening: { warmupMs: 20, measureMs: 50, concurrency: [2] },
  http: { warmupMs: 20, measureMs: 50, connections: [2], bodies: ['615 B', '64 KB'] },
  bulk: { warmupMs: 20, measureMs: 50, streams: [2] },
  api: { warmupMs: 20, measureMs: 50, concurrency: [2], mappings: 40, changes: 1 },
};

test('runBench() measures the direct way in every measure and stops what it started', { timeout: 60_000 }, async () => {
  const group = new ProcessGroup();
  const options = { measures: MEASURES, peers: ['direct'], quick: true, repeats: 2, resultsDir: '' };
  const { report, markdown, ratioLines } = await runBench(options, group, () => {}, TINY);

  assert.deepEqual(report.peers, [{ name: 'direct', version: 'no proxy' }]);
  assert.deepEqual(report.missing, []);
  assert.deepEqual(
    report.rows.map((row) => row.case),
    ['2 at a time', '615 B, 2 connections', '64 KB, 2 connections', '2 streams down', '2 streams up'],
  );
  for (const row of report.rows) {
    assert.deepEqual(row.failures, []);
    assert.equal(row.rounds.length, 2);
    for (const figures of row.rounds) assert.ok((figures?.['rate'] ?? 0) > 0, `${row.case} moved nothing`);
  }
  assert.match(markdown, /\| direct \| .* requests\/s/);
  assert.ok(ratioLines.some((line) => line.includes('direct')));
});
