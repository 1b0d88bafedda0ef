import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitFor } from '@tunnox/testing/wait-for';
import { CloudflareFake } from '@tunnox/testing/cloudflare-fake';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { ProviderError } from '../src/dns-sync/zone-provider.ts';
import { checkTenantEndpoint } from '../src/services/check-tenant-endpoint.ts';
import type { DnsAnswer, DnsResolver } from '../src/services/domain-proof-ports.ts';
import { cloudflareWorld } from './dns-provider-worlds.ts';
import { type Body, OPERATOR_KEY, TestStack } from './test-stack.ts';

const WAIT_MS = 30_000;

let stack: TestStack;
let world: Awaited<ReturnType<typeof cloudflareWorld>>;
let tenant: { userId: number; token: string };
before(async () => {
  const fake = await CloudflareFake.start();
  world = await cloudflareWorld(fake);
  // Tenants name no endpoint: theirs is Cloudflare's own.
  stack = await TestStack.start({ DNS_BEAT_MS: '200', CLOUDFLARE_API_URL: fake.url });
  tenant = await stack.newUser('ada');
});
after(async () => {
  await stack.stop();
  await world.stop();
});

async function made(path: string, body: unknown, token = OPERATOR_KEY): Promise<Body> {
  const answer = await stack.call('POST', path, { token, body });
  assert.ok(answer.status < 300, `${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

async function newZone(
  domain: string,
  token = OPERATOR_KEY,
  secret = world.token,
): Promise<{ zoneId: number; credentialId: number }> {
  await world.addZone(domain);
  const { credential_id } = await made(
    '/dns/credentials',
    { name: 'dns', provider: 'cloudflare', token: secret },
    token,
  );
  const { zone_id } = await made('/dns/zones', { domain, credential_id }, token);
  return { zoneId: zone_id as number, credentialId: credential_id as number };
}

test("a tenant's own zone follows its records, and its token is in no answer, no log and no audit entry", async () => {
  const secret = world.fake.addToken({ zones: ['mine.example'] });
  const { zoneId, credentialId } = await newZone('mine.example', tenant.token, secret);
  const { record_id } = await made(
    '/dns/records',
    { zone_id: zoneId, type: 'A', name: 'www', value: '203.0.113.1' },
    tenant.token,
  );
  const read = async () => (await stack.call('GET', `/dns/records/${record_id}`, { token: tenant.token })).body;
  await waitFor(async () => (await read())['status'] === 'active', WAIT_MS);
  // Revoked, and put back.
  world.fake.revokeToken(secret);
  const failed = await stack.call('POST', `/dns/zones/${zoneId}/reconcile`, { token: tenant.token });
  assert.deepEqual([failed.body['status'], /does not accept this token/.test(failed.body['error'])], ['failed', true]);
  const other = await made(
    '/dns/records',
    { zone_id: zoneId, type: 'A', name: 'two', value: '203.0.113.2' },
    tenant.token,
  );
  const path = `/dns/records/${other['record_id']}`;
  await waitFor(
    async () => (await stack.call('GET', path, { token: tenant.token })).body['status'] === 'error',
    WAIT_MS,
  );
  const renewed = world.fake.addToken({ zones: ['mine.example'] });
  const put = await stack.call('PUT', `/dns/credentials/${credentialId}`, {
    token: tenant.token,
    body: { token: renewed },
  });
  assert.equal(put.status, 200);
  await waitFor(
    async () => (await stack.call('GET', path, { token: tenant.token })).body['status'] === 'active',
    WAIT_MS,
  );

  const said = [stack.logLines.join('\n'), JSON.stringify(failed.body), JSON.stringify(put.body)];
  for (const list of [
    '/dns/credentials',
    '/dns/zones',
    '/dns/records',
    `/dns/zones/${zoneId}/runs`,
    '/audit?limit=100',
  ]) {
    said.push(JSON.stringify((await stack.asOperator('GET', list)).body));
  }
  const { rows } = await stack.database.query(
    `select coalesce(string_agg(to_jsonb(a)::text, ''), '') as text from audit_log a`,
  );
  said.push(rows[0].text);
  for (const text of said) for (const token of [secret, renewed]) assert.ok(!text.includes(token));
});

test('a tenant cannot aim an endpoint at a private address; what was stored under other rules is refused at its use', async () => {
  const aim = (endpoint: string, provider = 'powerdns') =>
    stack.call('POST', '/dns/credentials', {
      token: tenant.token,
      body: { name: 'x', provider, token: 'y'.repeat(40), endpoint },
    });
  for (const endpoint of [
    ...[
      'http://dns.example.com',
      'https://127.0.0.1:8081',
      'https://[::1]/',
      'https://10.1.2.3',
      'https://2130706433/',
    ],
    ...[
      'https://169.254.169.254',
      'https://localhost',
      'https://db.internal',
      'https://[::ffff:10.0.0.1]',
      'https://0x7f.1/',
    ],
    ...['https://user:password@dns.example.com', 'https://dns.example.com/?a=1', 'ftp://dns.example.com'],
  ]) {
    const answer = await aim(endpoint);
    assert.deepEqual([answer.status, answer.body['errors']?.[0]?.pointer], [422, '/endpoint'], endpoint);
  }
  // A public name is stored; where it leads to is looked up at each use.
  const stored = await aim('https://dns.customer.example');
  assert.equal(stored.status, 201);
  const { credential_id } = stored.body;
  const zone = { domain: 'aimed.example', credential_id };
  const away = await stack.call('POST', '/dns/zones', { token: tenant.token, body: zone });
  assert.deepEqual([away.status, away.body['code']], [503, 'unavailable'], 'the resolver is away: nothing is called');
  await stack.database.query('update provider_credentials set endpoint = $1 where credential_id = $2', [
    world.endpoint,
    credential_id,
  ]);
  world.fake.calls = [];
  const refused = await stack.call('POST', '/dns/zones', { token: tenant.token, body: zone });
  assert.deepEqual([refused.status, /not a public host/.test(refused.body['detail'])], [422, true]);
  assert.deepEqual(world.fake.calls, []);
});

test('checkTenantEndpoint() asks where a name leads to, and refuses it if one of its addresses is private', async () => {
  const resolver = (a: string[], aaaa: string[] = []): Pick<DnsResolver, 'lookUp'> => ({
    lookUp: async (_name, type): Promise<DnsAnswer> => ({
      rcode: 'NOERROR',
      chain: [],
      values: type === 'A' ? a : aaaa,
    }),
  });
  const check = (endpoint: string, from: Pick<DnsResolver, 'lookUp'>) => checkTenantEndpoint(from, new URL(endpoint));
  const is = (kind: string) => (error: unknown) => error instanceof ProviderError && error.kind === kind;
  await check('https://dns.example.com', resolver(['203.0.114.7'], ['2606:4700::1']));
  await check('https://203.0.114.7', resolver(['10.0.0.1']));
  for (const [a, aaaa] of [
    [['10.0.0.1'], []],
    [['203.0.114.7', '127.0.0.1'], []],
    [['203.0.114.7'], ['fd00::1']],
    [[], ['::ffff:7f00:1']],
    [['169.254.169.254'], []],
  ] as [string[], string[]][]) {
    await assert.rejects(check('https://rebind.example.com', resolver(a, aaaa)), is('unauthorized'), `${a} ${aaaa}`);
  }
  await assert.rejects(check('https://nowhere.example.com', resolver([])), is('unreachable'));
  const away = { lookUp: () => Promise.reject(new TunnoxError('unavailable', 'away')) };
  await assert.rejects(check('https://dns.example.com', away), is('unreachable'));
});

test('zones: an id of another zone is refused, one provider goes to another, and what was made there is made anew', async () => {
  const { zoneId, credentialId } = await newZone('first.example');
  world.fake.zone('first.example').put('A', 'own.first.example', '198.51.100.1');
  const wrong = {
    domain: 'second.example',
    credential_id: credentialId,
    provider_zone_id: world.fake.zone('first.example').id,
  };
  const refused = await stack.asOperator('POST', '/dns/zones', wrong);
  assert.deepEqual([refused.status, /not second\.example/.test(refused.body['detail'])], [422, true]);
  const { record_id } = await made('/dns/records', { zone_id: zoneId, type: 'A', name: 'www', value: '203.0.113.1' });
  const read = async () => (await stack.asOperator('GET', `/dns/records/${record_id}`)).body;
  await waitFor(async () => (await read())['status'] === 'active', WAIT_MS);
  const elsewhere = await cloudflareWorld();
  try {
    await elsewhere.addZone('first.example');
    const moved = await made('/dns/credentials', {
      name: 'new',
      provider: 'cloudflare',
      token: elsewhere.token,
      endpoint: elsewhere.endpoint,
    });
    await stack.asOperator('PUT', `/dns/zones/${zoneId}`, { credential_id: moved['credential_id'] });
    await waitFor(async () => (await elsewhere.there('first.example', 'A', 'www.first.example')).length === 1, WAIT_MS);
    await waitFor(
      async () => (await read())['provider_record_id'] === elsewhere.fake.zone('first.example').records[0]?.id,
      WAIT_MS,
    );
    const { runs } = (await stack.asOperator('GET', `/dns/zones/${zoneId}/runs`)).body;
    assert.ok(
      (runs as Body[]).every(({ plan }) => !JSON.stringify(plan).includes('removed at the provider')),
      'it is no drift',
    );
  } finally {
    await stack.asOperator('DELETE', `/dns/zones/${zoneId}?leave_records=true`);
    await elsewhere.stop();
  }
});

test('GET /metrics is for operators, in the text format, and counts on when runs are swept', async () => {
  const { zoneId } = await newZone('metrics.example');
  await made('/dns/records', { zone_id: zoneId, type: 'A', name: 'www', value: '203.0.113.1' });
  world.fake.zone('metrics.example').put('A', 'taken.metrics.example', '198.51.100.1');
  await made('/dns/records', { zone_id: zoneId, type: 'A', name: 'taken', value: '203.0.113.1' });
  const read = async () => (await stack.call('GET', '//metrics', { token: OPERATOR_KEY })).body['text'] as string;
  const value = (text: string, name: string, labels: string) => {
    const line = text
      .split('\n')
      .find((one) => one.startsWith(`${name}{zone="metrics.example",zone_id="${zoneId}"${labels}`));
    return line === undefined ? null : Number(line.split(' ').at(-1));
  };
  await waitFor(async () => value(await read(), 'tunnox_dns_records', ',status="active"') === 1, WAIT_MS);
  await waitFor(async () => value(await read(), 'tunnox_dns_records', ',status="error"') === 1, WAIT_MS);
  const text = await read();
  for (const line of text.trimEnd().split('\n')) {
    assert.match(
      line,
      /^(?:# (?:HELP|TYPE) tunnox_(?:dns|certificate)\w+ .+|tunnox_(?:dns|certificate)\w+(?:\{(?:\w+="[^"\\]*",?)+\})? -?[\d.e+-]+)$/,
    );
  }
  assert.equal(value(text, 'tunnox_dns_zone_up', ''), 1);
  assert.ok((value(text, 'tunnox_dns_oldest_due_seconds', '') ?? -1) >= 0);
  const runs = [...text.matchAll(/^tunnox_dns_runs_total\{zone="metrics.example".* (\d+)$/gm)].map(([, count]) =>
    Number(count),
  );
  const stored = await stack.database.query('select count(*)::int as n from dns_runs where zone_id = $1', [zoneId]);
  assert.equal(
    runs.reduce((a, b) => a + b, 0),
    stored.rows[0].n,
  );

  // 30 days, and 500 of a zone.
  await stack.database.query(
    `insert into dns_runs (zone_id, kind, status, started_at, finished_at)
     select $1::bigint, 'due', 'done', now() - interval '31 days', now() from generate_series(1, 20)
     union all select $1::bigint, 'due', 'done', now(), now() from generate_series(1, 600)`,
    [zoneId],
  );
  await stack.sweep();
  const left = await stack.database.query(
    `select count(*)::int as n, count(*) filter (where started_at < now() - interval '30 days')::int as old from dns_runs where zone_id = $1`,
    [zoneId],
  );
  assert.ok(left.rows[0].n >= 500 && left.rows[0].n <= 502 && left.rows[0].old === 0, JSON.stringify(left.rows));
  assert.ok((value(await read(), 'tunnox_dns_runs_total', '') ?? 0) > 0);
  for (const [token, status] of [
    [undefined, 401],
    [tenant.token, 403],
    ['x'.repeat(40), 401],
  ] as const) {
    assert.equal((await stack.call('GET', '//metrics', { token })).status, status);
  }
  assert.equal((await stack.call('GET', '//metrics?x=1', { token: OPERATOR_KEY })).status, 422);
  assert.equal((await stack.call('POST', '//metrics', { token: OPERATOR_KEY })).status, 405);
});

test('the list of a zone of 10 000 records is fast at its beginning and at its end', async (t) => {
  const { zoneId } = await newZone('many.example');
  await stack.database.query(
    `insert into domain_dns_records (zone_id, type, name, value, owner_type, status, next_retry_at)
     select $1, 'A', 'h' || i || '.many.example', '203.0.113.1', 'manual', 'active', null from generate_series(1, 10000) i`,
    [zoneId],
  );
  const times: number[] = [];
  for (const query of ['', '&page=100', '&status=active', '&name=h77.many.example', '&owner_type=manual&page=50']) {
    const since = performance.now();
    const { body } = await stack.asOperator('GET', `/dns/records?zone_id=${zoneId}&limit=100${query}`);
    times.push(performance.now() - since);
    assert.equal(body['total'], query.includes('name=') ? 1 : 10_000, query);
  }
  t.diagnostic(`${times.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  assert.ok(Math.max(...times) < 5000);
});
