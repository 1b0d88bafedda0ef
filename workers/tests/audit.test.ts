import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { AuditEntry } from '@tunnox/domain/api/audit';
import type { Problem } from '@tunnox/domain/api/common';
import { Client } from 'pg';
import { LiveHarness, type Tenant } from './live-harness.ts';

interface Listed {
  entries: AuditEntry[];
  total: number;
  next_cursor: string | null;
}

let live: LiveHarness;
let ours: Tenant;
let theirs: Tenant;
before(async () => {
  live = await LiveHarness.start();
  [ours, theirs] = [await live.tenant(), await live.tenant()];
});
after(() => live?.stop());

const list = (query = '', token = live.plane.operatorKey) =>
  live.api<Listed>('GET', `/audit${query}`, undefined, token);

async function exported(query = '', token = live.plane.operatorKey): Promise<AuditEntry[]> {
  const answer = await live.tryApi('GET', `/audit/export${query}`, undefined, token);
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  assert.equal(answer.headers.get('content-type'), 'application/x-ndjson');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEntry);
}

/** A change, and the id of its request. */
async function change(method: string, path: string, body: unknown, token: string): Promise<string> {
  const answer = await live.tryApi(method, path, body, token);
  assert.ok(answer.ok, await answer.text());
  return answer.headers.get('x-request-id') ?? assert.fail();
}

test('a change is found by its request: who, what, when, before and after', async () => {
  const { client_id } = await live.session(ours);
  const requestId = await change('PUT', `/clients/${client_id}`, { client_name: 'renamed' }, ours.apiKey);
  const { entries, total } = await list(`?request_id=${requestId}`);
  assert.equal(total, 1);
  const { audit_id, at, before: was, after: is, ...entry } = entries[0] ?? assert.fail();
  assert.deepEqual(entry, {
    ...{ actor_type: 'user', actor_id: ours.userId, user_id: ours.userId, action: 'client.update' },
    ...{ object_type: 'client', object_id: String(client_id), request_id: requestId },
  });
  assert.ok(Number.isSafeInteger(audit_id) && Math.abs(Date.parse(at) - Date.now()) < 60_000);
  assert.notEqual((was as { client_name: string }).client_name, 'renamed');
  assert.equal((is as { client_name: string }).client_name, 'renamed');
});

test('tenants see what concerns them, whoever did it, and nothing else; agents see nothing', async () => {
  const byOperator = await change('POST', `/users/${ours.userId}/quota`, { max_clients: 50 }, live.plane.operatorKey);
  const byThem = await change('POST', '/clients', { client_name: 'theirs' }, theirs.apiKey);
  for (const read of [async (query: string) => (await list(query, ours.apiKey)).entries, exportedByUs]) {
    const seen = await read('');
    assert.ok(seen.some(({ request_id }) => request_id === byOperator));
    assert.ok(seen.every(({ user_id }) => user_id === ours.userId));
    assert.deepEqual(await read(`?request_id=${byThem}`), []);
    assert.equal((await read(`?user_id=${ours.userId}`)).length, seen.length);
  }
  assert.equal((await list(`?user_id=${theirs.userId}&request_id=${byThem}`)).total, 1);
  const agent = await live.session(ours);
  for (const path of ['/audit', '/audit/export']) {
    const foreign = await live.tryApi('GET', `${path}?user_id=${theirs.userId}`, undefined, ours.apiKey);
    assert.equal(foreign.status, 404);
    assert.equal((await live.tryApi('GET', path, undefined, agent.access_token)).status, 403);
    assert.equal((await live.tryApi('GET', `${path}?from=yesterday`)).status, 422);
  }
});

function exportedByUs(query: string): Promise<AuditEntry[]> {
  return exported(query, ours.apiKey);
}

test('lists begin with the newest and export with the oldest; both filter and go on behind a line', async () => {
  const tenant = await live.tenant();
  for (let index = 0; index < 7; index += 1)
    await change('POST', '/clients', { client_name: `c${index}` }, tenant.apiKey);
  const all = await exported('', tenant.apiKey);
  const ids = all.map(({ audit_id }) => audit_id);
  assert.deepEqual(
    ids,
    ids.toSorted((a, b) => a - b),
  );
  const walked: number[] = [];
  let cursor: string | null = null;
  do {
    const page: Listed = await list(`?limit=3${cursor === null ? '' : `&cursor=${cursor}`}`, tenant.apiKey);
    walked.push(...page.entries.map(({ audit_id }) => audit_id));
    cursor = page.next_cursor;
  } while (cursor !== null);
  assert.deepEqual(walked, ids.toReversed());
  const created = all.filter(({ action }) => action === 'client.create');
  assert.equal(created.length, 7);
  assert.deepEqual(await exported('?action=client.create', tenant.apiKey), created);
  const [, , third] = created;
  assert.ok(third);
  assert.deepEqual(await exported(`?action=client.create&after=${third.audit_id}`, tenant.apiKey), created.slice(3));
  assert.deepEqual(await exported(`?object_type=client&object_id=${third.object_id}`, tenant.apiKey), [third]);
  assert.deepEqual((await list(`?object_type=client&object_id=${third.object_id}`, tenant.apiKey)).entries, [third]);
  const later = new Date(Date.parse(third.at) + 1).toISOString();
  const from = await exported(`?action=client.create&from=${later}`, tenant.apiKey);
  const to = await exported(`?action=client.create&to=${later}`, tenant.apiKey);
  assert.deepEqual([...to, ...from], created);
});

test('an export leaves out what stands behind a line that is still being written', async () => {
  const tenant = await live.tenant();
  const database = new Client({ connectionString: live.plane.databaseUrl });
  await database.connect();
  try {
    await database.query('begin');
    await database.query(
      `insert into audit_log (actor_type, user_id, action, object_type, object_id) values ('system', $1, 'test.slow', 'test', '1')`,
      [tenant.userId],
    );
    await change('POST', '/clients', { client_name: 'later' }, tenant.apiKey);
    assert.ok((await exported('', tenant.apiKey)).every(({ action }) => action !== 'client.create'));
    await database.query('commit');
    const actions = (await exported('', tenant.apiKey)).map(({ action }) => action);
    assert.deepEqual(actions.slice(-2), ['test.slow', 'client.create']);
  } finally {
    await database.end();
  }
});

/** Lines that are large enough not to fit into the buffers between Postgres and a reader that waits. */
async function writeMany(tenant: Tenant, count: number): Promise<void> {
  await live.sql(
    `insert into audit_log (actor_type, user_id, action, object_type, object_id, after)
     select 'system', $1, 'test.many', 'test', n::text, to_jsonb(repeat($2, 200)) from generate_series(1, $3::int) n`,
    tenant.userId,
    randomBytes(50).toString('hex'),
    count,
  );
}

test('an export of many lines is complete and in order', async () => {
  const tenant = await live.tenant();
  await writeMany(tenant, 1234);
  const lines = await exported('?action=test.many', tenant.apiKey);
  assert.deepEqual(
    lines.map(({ object_id }) => Number(object_id)),
    Array.from({ length: 1234 }, (_, index) => index + 1),
  );
});

test('a reader that goes away ends the export', async () => {
  const tenant = await live.tenant();
  await writeMany(tenant, 2000);
  const answer = await live.tryApi('GET', '/audit/export', undefined, tenant.apiKey);
  const reader = answer.body?.getReader() ?? assert.fail();
  await reader.read();
  await reader.cancel();
  // Nothing hangs behind it.
  assert.equal((await live.tryApi('GET', '/audit?limit=1', undefined, tenant.apiKey)).status, 200);
});

test('an export during which Postgres goes away ends with a line that says so, and where to go on', async () => {
  const tenant = await live.tenant();
  await writeMany(tenant, 3000);
  const answer = await live.tryApi('GET', '/audit/export?action=test.many', undefined, tenant.apiKey);
  assert.equal(answer.status, 200);
  const reader = answer.body?.getReader() ?? assert.fail();
  const chunks: Uint8Array[] = [];
  // The first bytes are here, the others wait for this reader, and most of them in Postgres.
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    if (chunks.length === 0) await live.plane.postgres.pause();
    chunks.push(read.value);
  }
  await live.plane.postgres.resume();
  const seen: AuditEntry[] = [];
  let last: { error?: Problem; after?: number } = {};
  for (const line of Buffer.concat(chunks).toString().trimEnd().split('\n')) {
    const value = JSON.parse(line) as AuditEntry & typeof last;
    if (value.error === undefined) seen.push(value);
    else last = value;
  }
  assert.deepEqual([last.error?.code, last.error?.request_id], ['unavailable', answer.headers.get('x-request-id')]);
  assert.ok(seen.length > 0 && seen.length < 3000, `${seen.length} lines`);
  assert.equal(last.after, seen.at(-1)?.audit_id);
  const rest = await exported(`?action=test.many&after=${last.after}`, tenant.apiKey);
  assert.equal(seen.length + rest.length, 3000);
  // While it is away from the start, the answer is no stream.
  await live.plane.postgres.pause();
  const none = await live.tryApi('GET', '/audit/export', undefined, live.plane.operatorKey);
  assert.deepEqual([none.status, none.headers.get('content-type')], [503, 'application/problem+json']);
  await live.plane.postgres.resume();
});

test('lines end after 400 days', async () => {
  const tenant = await live.tenant();
  await writeMany(tenant, 2);
  await live.sql(
    `update audit_log set at = now() - make_interval(days => case object_id when '1' then 401 else 399 end)
     where user_id = $1 and action = 'test.many'`,
    tenant.userId,
  );
  await live.plane.runScheduled();
  const left = await exported('?action=test.many', tenant.apiKey);
  assert.deepEqual(
    left.map(({ object_id }) => object_id),
    ['2'],
  );
});
