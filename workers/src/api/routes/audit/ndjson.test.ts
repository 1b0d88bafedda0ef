import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEntry } from '@tunnox/domain/api/audit';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { AuditService } from '../../../services/audit-service.ts';
import { ndjson } from './ndjson.ts';

const OPERATOR = { principal: { role: 'operator' }, requestId: 'r' } as const;

/** An export of lines 1 to `count`; Postgres goes away when it is asked for what is behind `awayBehind`. */
async function lines(count: number, limits: { linesOfPage: number; pagesMax: number }, awayBehind = Infinity) {
  const reads: number[] = [];
  const audit = {
    list: async () => assert.fail(),
    async after(_filter: unknown, after: number, limit: number) {
      reads.push(after);
      if (after >= awayBehind) throw new TunnoxError('unavailable', 'away');
      const length = Math.max(0, Math.min(limit, count - after));
      return Array.from({ length }, (_, index) => ({ audit_id: after + index + 1 }) as AuditEntry);
    },
  };
  const pages = await new AuditService({ audit }, limits).export(OPERATOR, { after: 0 });
  const text = await ndjson(pages, 0, 'r').text();
  const values = text.split('\n').filter((line) => line !== '');
  return { reads, values: values.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

const entries = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ audit_id: from + index }));

test('ndjson() gives every entry a line, also when the last page is full or there is none', async () => {
  const limits = { linesOfPage: 3, pagesMax: 10 };
  assert.deepEqual((await lines(7, limits)).values, entries(1, 7));
  assert.deepEqual((await lines(6, limits)).values, entries(1, 6));
  assert.deepEqual((await lines(0, limits)).values, []);
});

test('ndjson() says where to go on when there are more lines than an answer gives', async () => {
  const limits = { linesOfPage: 3, pagesMax: 2 };
  assert.deepEqual((await lines(7, limits)).values, [...entries(1, 6), { more: true, after: 6 }]);
  assert.deepEqual((await lines(5, limits)).values, entries(1, 5));
});

test('ndjson() ends with the error, and where to go on, when a later page fails', async () => {
  const { values } = await lines(9, { linesOfPage: 3, pagesMax: 10 }, 6);
  const last = values.pop() as { error: { code: string; request_id: string }; after: number };
  assert.deepEqual(values, entries(1, 6));
  assert.deepEqual([last.error.code, last.error.request_id, last.after], ['unavailable', 'r', 6]);
});

test('ndjson() reads a page ahead of its reader at the most, and no more when that has gone', async () => {
  const reads: number[] = [];
  const audit = {
    list: async () => assert.fail(),
    async after(_filter: unknown, after: number, limit: number) {
      reads.push(after);
      return entries(after + 1, after + limit) as AuditEntry[];
    },
  };
  const pages = await new AuditService({ audit }, { linesOfPage: 2, pagesMax: 100 }).export(OPERATOR, {});
  const reader = ndjson(pages, 0, 'r').body?.getReader() ?? assert.fail();
  await reader.read();
  await reader.cancel();
  assert.ok(reads.length <= 3, `${reads.length} pages were read`);
});
