import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { seriesWindow, toTimeSeries } from './time-series.ts';

const NOW = Date.parse('2026-06-15T10:30:00Z');

function span(query: Parameters<typeof seriesWindow>[0]) {
  const window = seriesWindow(query, NOW);
  assert.ok(window);
  return [window.step, new Date(window.fromMs).toISOString(), new Date(window.toMs).toISOString()];
}

const refused = (pattern: RegExp) => (error: unknown) =>
  error instanceof TunnoxError && error.code === 'invalid' && pattern.test(error.message);

test('seriesWindow() is null when nothing of a series is asked for', () => {
  assert.equal(seriesWindow({}, NOW), null);
});

test('seriesWindow() widens to whole steps, ends with the present one, and chooses what is not said', () => {
  const cases: [Parameters<typeof seriesWindow>[0], string[]][] = [
    [{ step: 'hour' }, ['hour', '2026-06-14T10:00:00.000Z', '2026-06-15T11:00:00.000Z']],
    [{ step: 'day' }, ['day', '2026-05-16T00:00:00.000Z', '2026-06-16T00:00:00.000Z']],
    [{ from: '2026-06-15T08:59:59Z' }, ['hour', '2026-06-15T08:00:00.000Z', '2026-06-15T11:00:00.000Z']],
    [{ from: '2026-06-01T08:59:59Z' }, ['day', '2026-06-01T00:00:00.000Z', '2026-06-16T00:00:00.000Z']],
    [
      { from: '2026-06-15T08:00:00Z', to: '2026-06-15T09:00:00Z', step: 'hour' },
      ['hour', '2026-06-15T08:00:00.000Z', '2026-06-15T09:00:00.000Z'],
    ],
    [
      { from: '2026-06-01T00:00:00Z', to: '2026-07-01T00:00:00Z', step: 'day' },
      ['day', '2026-06-01T00:00:00.000Z', '2026-06-16T00:00:00.000Z'],
    ],
    [{ from: '2026-05-11T00:00:00Z', step: 'hour' }, ['hour', '2026-05-11T00:00:00.000Z', '2026-06-15T11:00:00.000Z']],
  ];
  for (const [query, expected] of cases) assert.deepEqual(span(query), expected, JSON.stringify(query));
});

test('seriesWindow() refuses what cannot be answered, with the way out', () => {
  const cases: [Parameters<typeof seriesWindow>[0], RegExp][] = [
    [{ from: '2026-06-15T09:00:00Z', to: '2026-06-15T09:00:00Z' }, /must be before to/],
    [{ from: '2026-06-15T09:00:00Z', to: '2026-06-14T09:00:00Z' }, /must be before to/],
    [{ from: '2026-06-15T10:31:00Z' }, /must not be in the future/],
    [{ from: '2026-05-10T23:00:00Z', step: 'hour' }, /must not be before 2026-05-11.*step=day/],
    [{ from: '2025-05-10T00:00:00Z', step: 'day' }, /must not be before 2025-05-11/],
    [{ from: '2026-04-01T00:00:00Z', step: 'hour' }, /1811 hours before the end: .* 1000 points at most.*step=day/],
    [{ from: '2020-01-01T00:00:00Z' }, /2358 days before the end: .* 1000 points at most$/],
  ];
  for (const [query, pattern] of cases) assert.throws(() => seriesWindow(query, NOW), refused(pattern), query.from);
});

test('toTimeSeries() has a point for every step, zeros where nothing passed', () => {
  const at = (hour: number) => Date.UTC(2026, 5, 15, hour);
  const window = { step: 'hour', fromMs: at(8), toMs: at(11) } as const;
  const series = toTimeSeries(window, [{ atMs: at(9), bytes_in: 1, bytes_out: 2, connections: 3 }]);
  assert.deepEqual(series, {
    from: '2026-06-15T08:00:00.000Z',
    to: '2026-06-15T11:00:00.000Z',
    step: 'hour',
    points: [
      { at: '2026-06-15T08:00:00.000Z', bytes_in: 0, bytes_out: 0, connections: 0 },
      { at: '2026-06-15T09:00:00.000Z', bytes_in: 1, bytes_out: 2, connections: 3 },
      { at: '2026-06-15T10:00:00.000Z', bytes_in: 0, bytes_out: 0, connections: 0 },
    ],
  });
});
