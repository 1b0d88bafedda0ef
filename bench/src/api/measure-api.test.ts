import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProcessGroup } from '../process-group.ts';
import { apiLines, apiMarkdown } from './api-markdown.ts';
import { measureApi } from './measure-api.ts';

test('measureApi() has a figure for every call and every change', { timeout: 120_000 }, async () => {
  const group = new ProcessGroup();
  const times = { warmupMs: 20, measureMs: 200, concurrency: [2], mappings: 150, changes: 1, repeats: 1 };
  try {
    const report = await measureApi(times, group, () => {});
    assert.deepEqual(
      report.rows.map(({ call, failures }) => [call, failures]),
      [
        ['GET /me', []],
        ['GET /me, address counted too', []],
        ['GET /clients/{id}', []],
        ['GET /mappings, 20 of 150', []],
        ['POST /clients', []],
        ['PUT /mappings/{id}', []],
        ['POST /domains', []],
        ['DELETE /domains/{id}', []],
      ],
    );
    for (const { call, rounds } of report.rows) assert.ok((rounds[0]?.perS ?? 0) > 0, call);
    assert.deepEqual(
      report.changes.map(({ change }) => change),
      ['create', 'update', 'disable', 'enable', 'delete'],
    );
    for (const { change, applied } of report.changes) assert.ok(applied.p50Ms > 0, change);
    assert.match(apiMarkdown(report), /\| GET \/me \| .*\/s \[/);
    assert.ok(apiLines(report).some((line) => line.includes('delete applied at the agent')));
  } finally {
    await group.stop();
  }
});
