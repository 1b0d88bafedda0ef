import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ageText } from './age.ts';

test('ageText() names the largest unit that fits', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  const cases: [string | null, string][] = [
    [null, 'never'],
    ['2026-01-02T00:00:05Z', '0 s ago'],
    ['2026-01-01T23:59:30Z', '30 s ago'],
    ['2026-01-01T23:57:30Z', '2 min ago'],
    ['2026-01-01T20:00:00Z', '4 h ago'],
    ['2025-12-30T00:00:00Z', '3 d ago'],
  ];
  for (const [moment, text] of cases) assert.equal(ageText(moment, now), text);
});
