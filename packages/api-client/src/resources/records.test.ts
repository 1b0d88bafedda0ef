import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiCaller } from '../api-caller.ts';
import { Records } from './records.ts';

const ENTRY = {
  ...{ at: '2026-01-01T00:00:00.000Z', actor_type: 'operator', actor_id: null, user_id: 1, action: 'client.create' },
  ...{ object_type: 'client', object_id: '600000001', before: null, after: { name: 'a' }, request_id: null },
};

/** Records of a server that gives these answers, one after the other, and what it was asked. */
function answering(...answers: object[][]) {
  const asked: string[] = [];
  const caller = new ApiCaller(
    {
      transport: async (url) => {
        asked.push(url.slice(url.indexOf('/audit')));
        const text = (answers.shift() ?? []).map((line) => `${JSON.stringify(line)}\n`).join('');
        return { status: 200, headers: new Headers(), text: async () => text };
      },
    },
    { server: 'https://api.example.com', userAgent: 'test' },
  );
  return { records: new Records(caller, 'key'), asked };
}

async function ids(entries: AsyncIterable<{ audit_id: number }>): Promise<number[]> {
  const all: number[] = [];
  for await (const entry of entries) all.push(entry.audit_id);
  return all;
}

test('Records.exportAudit() goes on where an answer ends, also when it ended too early', async () => {
  const { records, asked } = answering(
    [
      { ...ENTRY, audit_id: 3 },
      { ...ENTRY, audit_id: 7 },
      { more: true, after: 7 },
    ],
    [
      { ...ENTRY, audit_id: 8 },
      { error: { code: 'unavailable' }, after: 8 },
    ],
    [{ ...ENTRY, audit_id: 9 }],
  );
  assert.deepEqual(await ids(records.exportAudit({ action: 'client.create' })), [3, 7, 8, 9]);
  const first = '/audit/export?action=client.create';
  assert.deepEqual(asked, [first, `${first}&after=7`, `${first}&after=8`]);
});

test('Records.exportAudit() of nothing is empty', async () => {
  const { records, asked } = answering([]);
  assert.deepEqual(await ids(records.exportAudit({ after: 5 })), []);
  assert.deepEqual(asked, ['/audit/export?after=5']);
});

test('Records.exportAudit() refuses lines that are no entries', async () => {
  const { records } = answering([{ audit_id: 1 }]);
  await assert.rejects(ids(records.exportAudit()), { code: 'bad_answer' });
});
