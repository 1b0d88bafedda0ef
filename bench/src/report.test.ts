import assert from 'node:assert/strict';
import { test } from 'node:test';
import { number, ratioTo, toMarkdown, toRatioLines, type Report, type Shown } from './report.ts';
import type { Row } from './run-rounds.ts';

const BULK: Shown = {
  name: 'bulk',
  title: 'Bulk',
  metrics: [{ key: 'rate', unit: 'GB/s', better: 'more' }],
  cpuPer: 'GB',
};

const row = (subject: string, rates: (number | null)[], failures: string[] = []): Row => ({
  measure: 'bulk',
  case: '1 stream down',
  subject,
  rounds: rates.map((rate) => (rate === null ? null : { rate, 'cpu relay': 0.5 })),
  failures,
});

const report: Report = {
  startedAt: '2026-01-01T00:00:00.000Z',
  seconds: 1,
  machine: { cpu: 'test', cores: 2, memoryGib: 1, freeMemoryGib: 1, kernel: 'Linux', node: 'v24', load: 0 },
  settings: { quick: false, repeats: 2, httpGenerator: 'wrk' },
  peers: [{ name: 'direct', version: 'no proxy' }],
  missing: [{ name: 'frp', reason: 'BENCH_FRP does not name the folder of frps and frpc' }],
  rows: [row('direct', [2, 4]), row('tunnox a tls', [1, 2]), row('bore', [null, null], ['refused', 'refused'])],
};

test('ratioTo() compares round by round and has nothing to say about the baseline itself', () => {
  const metric = BULK.metrics[0];
  const [direct, tunnox, bore] = report.rows as [Row, Row, Row];
  assert.deepEqual(ratioTo(direct, tunnox, metric), { median: 0.5, min: 0.5, max: 0.5, count: 2 });
  assert.equal(ratioTo(direct, direct, metric), null);
  assert.equal(ratioTo(direct, bore, metric), null);
  assert.equal(ratioTo(undefined, tunnox, metric), null);
});

test('toMarkdown() shows ratios, spread, processor time, failures and missing peers', () => {
  const text = toMarkdown(report, [BULK]);
  assert.match(text, /\| tunnox a tls \| \*\*0\.50\*\*<br>1\.5 GB\/s \[1 – 2\]<br>cpu relay 0\.5 s \/ GB \|/);
  assert.match(text, /\| bore \| failed \|/);
  assert.equal(text.match(/bore, 1 stream down: refused/g)?.length, 1);
  assert.match(text, /Missing: frp \(BENCH_FRP does not name/);
});

test('toRatioLines() gives one line a subject', () => {
  const lines = toRatioLines(report, [BULK]);
  assert.ok(lines.some((line) => /tunnox a tls +× 0\.50 \[0\.50 – 0\.50\] +1\.5 GB\/s/.test(line)));
  assert.ok(lines.some((line) => /bore +failed: refused/.test(line)));
});

test('number() gives three digits and groups thousands', () => {
  assert.equal(number(0.123456), '0.123');
  assert.equal(number(12_345.6), '12 346');
  assert.equal(number(Number.NaN), '–');
});
