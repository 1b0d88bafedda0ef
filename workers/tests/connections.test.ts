import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Connection } from '@tunnox/domain/api/connections';
import type { ConnectionsRequest } from '@tunnox/domain/relay-api';
import { makeUlid } from '@tunnox/domain/ulid';
import type { FakeRelay } from './fake-relay.ts';
import { LiveHarness, type Tenant } from './live-harness.ts';

type Line = ConnectionsRequest['connections'][number];

interface Listed {
  connections: Connection[];
  total: number;
  next_cursor: string | null;
}

let live: LiveHarness;
let relay: FakeRelay;
before(async () => {
  live = await LiveHarness.start();
  relay = await live.relay();
});
after(() => live?.stop());

function lineOf(clientId: number, change: Partial<Line> = {}): Line {
  return {
    ...{ tunnel_id: makeUlid(Date.now(), randomBytes(16)), binding_id: 'mapping:1001', client_id: clientId },
    ...{ user_id: null, visitor: '192.0.2.1', started_at: new Date(Date.now() - 5000).toISOString() },
    ...{ duration_ms: 1500, bytes_in: 10, bytes_out: 90, close_reason: 'closed' },
    ...change,
  };
}

async function tell(lines: Line[], from = relay): Promise<void> {
  const answer = await from.call('/connections', { body: { connections: lines } });
  assert.equal(answer.status, 204, await answer.text());
}

const list = (token: string, query = '') => live.api<Listed>('GET', `/connections${query}`, undefined, token);
const idsOf = ({ connections }: Listed) => connections.map(({ tunnel_id }) => tunnel_id);

async function household(): Promise<{ tenant: Tenant; clientId: number; agentToken: string }> {
  const tenant = await live.tenant();
  const session = await live.session(tenant);
  return { tenant, clientId: session.client_id, agentToken: session.access_token };
}

test('a tunnel that was reported stands in the log once, as it was', async () => {
  const { tenant, clientId } = await household();
  const line = lineOf(clientId, { visitor: 'client:600000009', close_reason: 'traffic_limit' });
  await Promise.all([tell([line]), tell([line, line]), tell([])]);
  // A repetition, even with other numbers, changes nothing.
  await tell([{ ...line, bytes_in: 999 }]);
  const { connections, total } = await list(tenant.apiKey);
  assert.deepEqual(connections, [{ ...line, user_id: tenant.userId, node_id: relay.nodeId }]);
  assert.equal(total, 1);
});

test('a relay that is not known, or says what cannot be, is refused', async () => {
  const { clientId } = await household();
  const wrong = [
    { tunnel_id: 'x' },
    { close_reason: 'Closed for reasons' },
    { bytes_in: -1 },
    { visitor: 'a\nb' },
    { started_at: 'yesterday' },
  ];
  for (const change of wrong) {
    const answer = await relay.call('/connections', { body: { connections: [lineOf(clientId, change)] } });
    assert.equal(answer.status, 422, JSON.stringify(change));
  }
  const stranger = await relay.call('/connections', { body: { connections: [] }, token: 'x' });
  assert.equal(stranger.status, 401);
});

test('tenants see their own, agents what passed through them, operators all', async () => {
  const ours = await household();
  const theirs = await household();
  const sibling = await live.session(ours.tenant);
  const anonymous = await live.session(null);
  const lines = [ours.clientId, theirs.clientId, sibling.client_id, anonymous.client_id].map((id) => lineOf(id));
  await tell(lines);
  const [our, their, siblings, nobodys] = lines.map(({ tunnel_id }) => tunnel_id);
  assert.deepEqual(idsOf(await list(ours.tenant.apiKey)), [siblings, our]);
  assert.deepEqual(idsOf(await list(theirs.tenant.apiKey)), [their]);
  assert.deepEqual(idsOf(await list(ours.agentToken)), [our]);
  assert.deepEqual(idsOf(await list(anonymous.access_token)), [nobodys]);
  assert.deepEqual(idsOf(await list(ours.tenant.apiKey, `?client_id=${theirs.clientId}`)), []);
  const { operatorKey } = live.plane;
  assert.deepEqual(idsOf(await list(operatorKey, `?user_id=${ours.tenant.userId}`)), [siblings, our]);
  assert.ok((await list(operatorKey)).total >= 4);
  const other = `/connections?user_id=${theirs.tenant.userId}`;
  assert.equal((await live.tryApi('GET', other, undefined, ours.tenant.apiKey)).status, 404);
  // What was the client's stays its owner's when the client is gone.
  await live.api('DELETE', `/clients/${ours.clientId}`, undefined, ours.tenant.apiKey);
  assert.deepEqual(idsOf(await list(ours.tenant.apiKey)), [siblings, our]);
});

test('what passed through a team’s client is for the team: its members, and nobody who left', async () => {
  const owner = await household();
  const member = await household();
  const stranger = await household();
  const { namespace_id } = await live.api<{ namespace_id: number }>(
    'POST',
    '/namespaces',
    { name: 'team' },
    owner.tenant.apiKey,
  );
  const place = `/namespaces/${namespace_id}/members/${member.tenant.userId}`;
  await live.api('PUT', place, { role: 'viewer' }, owner.tenant.apiKey);
  const shared = await live.api<{ client_id: number }>(
    'POST',
    '/clients',
    { client_name: 'shared', namespace_id },
    owner.tenant.apiKey,
  );
  const lines = [lineOf(shared.client_id), lineOf(owner.clientId)];
  await tell(lines);
  const [team, own] = lines.map(({ tunnel_id }) => tunnel_id);
  assert.deepEqual(idsOf(await list(owner.tenant.apiKey)), [own, team]);
  assert.deepEqual(idsOf(await list(member.tenant.apiKey)), [team]);
  assert.deepEqual(idsOf(await list(stranger.tenant.apiKey)), []);
  await live.api('DELETE', place, undefined, owner.tenant.apiKey);
  assert.deepEqual(idsOf(await list(member.tenant.apiKey)), []);
});

test('filters by binding, client and time go together', async () => {
  const { tenant, clientId } = await household();
  const at = (minutes: number) => new Date(Date.UTC(2026, 0, 1, 0, minutes)).toISOString();
  const soon = new Date(Date.now() - 60_000);
  const when = (minutes: number) => new Date(soon.getTime() - minutes * 60_000).toISOString();
  const lines = [
    lineOf(clientId, { binding_id: 'mapping:7', started_at: when(50) }),
    lineOf(clientId, { binding_id: 'mapping:7', started_at: when(40) }),
    lineOf(clientId, { binding_id: 'domain:7', started_at: when(30) }),
    lineOf(clientId, { binding_id: 'domain:8', started_at: when(20) }),
  ];
  await tell(lines);
  const [a, b, c, d] = lines.map(({ tunnel_id }) => tunnel_id);
  const cases: [string, (string | undefined)[]][] = [
    ['?mapping_id=7', [b, a]],
    ['?binding_id=domain:7', [c]],
    ['?domain_id=8', [d]],
    ['?domain_id=8&mapping_id=7', []],
    [`?from=${when(40)}`, [d, c, b]],
    [`?from=${when(40)}&to=${when(30)}`, [b]],
    [`?to=${at(0)}`, []],
    [`?client_id=${clientId}&mapping_id=7&from=${when(45)}`, [b]],
  ];
  for (const [query, expected] of cases) {
    const page = await list(tenant.apiKey, query);
    assert.deepEqual([idsOf(page), page.total], [expected, expected.length], query);
  }
  for (const query of ['?from=now', '?mapping_id=x', '?binding_id=mapping:0', '?cursor=a5', '?cursor=zz']) {
    const answer = await live.tryApi('GET', `/connections${query}`, undefined, tenant.apiKey);
    assert.equal(answer.status, 422, query);
  }
});

test('a walk by cursor sees every line once while new ones come', async () => {
  const { tenant, clientId } = await household();
  const made: string[] = [];
  const more = async (count: number) => {
    const lines = Array.from({ length: count }, (_, index) =>
      lineOf(clientId, { started_at: new Date(Date.now() - 1000 + index).toISOString() }),
    );
    await tell(lines);
    made.unshift(...lines.map(({ tunnel_id }) => tunnel_id).toReversed());
  };
  await more(25);
  const expected = [...made];
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page: Listed = await list(tenant.apiKey, `?limit=10${cursor === null ? '' : `&cursor=${cursor}`}`);
    seen.push(...idsOf(page));
    cursor = page.next_cursor;
    await more(3);
  } while (cursor !== null);
  assert.deepEqual(seen, expected);
  const second = await list(tenant.apiKey, '?limit=10&page=2');
  assert.deepEqual(idsOf(second), made.slice(10, 20));
});

test('a visitor’s address is gone after 30 days', async () => {
  const { tenant, clientId } = await household();
  const day = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
  const lines = [lineOf(clientId, { started_at: day(30.1) }), lineOf(clientId, { started_at: day(29.9) })];
  await tell(lines);
  assert.equal((await list(tenant.apiKey)).total, 2);
  await live.plane.runScheduled();
  assert.deepEqual(idsOf(await list(tenant.apiKey)), [lines[1]?.tunnel_id]);
});
