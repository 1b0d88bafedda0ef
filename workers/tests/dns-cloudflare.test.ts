import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { CloudflareFake, CloudflareTrouble } from '@tunnox/testing/cloudflare-fake';
import { openAccess, type ZoneOpenerDeps } from '../src/dns-sync/zone-opener.ts';
import { ProviderError, type ProviderErrorKind } from '../src/dns-sync/zone-provider.ts';
import { apply, cloudflareWorld, openerOf, openZone, type ProviderWorld, sync, wish } from './dns-provider-worlds.ts';

const SIGNAL = AbortSignal.timeout(300_000);

let world: ProviderWorld & { fake: CloudflareFake };
before(async () => {
  world = await cloudflareWorld();
});
after(() => world.stop());

const isProviderError = (kind: ProviderErrorKind, message: RegExp) => (error: unknown) =>
  error instanceof ProviderError && error.kind === kind && message.test(error.message);

async function broken(trouble: CloudflareTrouble, on?: RegExp): Promise<void> {
  world.fake.setTrouble(trouble, 1, on);
}

test('a zone of 2 500 records is three calls', async () => {
  const zone = world.fake.addZone('pages.example');
  for (let i = 0; i < 2500; i += 1) zone.put('A', `h${i}.pages.example`, '192.0.2.1');
  const provider = await openZone(world, 'pages.example');
  world.fake.calls = [];
  assert.equal((await provider.list(SIGNAL)).length, 2500);
  assert.equal(world.fake.calls.length, 3);
});

test('a record that slips from page to page while others are removed is seen all the same', async () => {
  const zone = world.fake.addZone('shift.example');
  const made = Array.from({ length: 1500 }, (_, i) =>
    zone.put('A', `h${String(i).padStart(4, '0')}.shift.example`, '192.0.2.1'),
  );
  const provider = await openZone(world, 'shift.example');
  let done = false;
  world.fake.setBefore(({ path }) => {
    if (done || !path.includes('page=2&')) return;
    done = true;
    for (const { id } of made.slice(0, 5)) zone.remove(id);
  });
  const names = (await provider.list(SIGNAL)).map(({ name }) => name);
  world.fake.setBefore(null);
  assert.deepEqual([names.length, names.includes('h1002.shift.example')], [1495, true]);
});

test('proxied and automatic TTL are as asked for, and proxied alone is a change', async () => {
  world.fake.addZone('proxied.example');
  const provider = await openZone(world, 'proxied.example');
  const row = wish('A', 'www.proxied.example', '203.0.113.1', { ttl: 600, proxied: true });
  await sync(provider, [row]);
  const [record] = world.fake.zone('proxied.example').records;
  assert.deepEqual([record?.proxied, record?.ttl], [true, 1]);
  assert.deepEqual((await sync(provider, [row])).applied.outcomes, [], 'the TTL of a proxied record is its own');
  await sync(provider, [{ ...row, proxied: false }]);
  const [changed] = world.fake.zone('proxied.example').records;
  assert.deepEqual([changed?.proxied, changed?.ttl, changed?.id], [false, 600, record?.id]);
});

test('a comment is never longer than the free plan takes, and keeps its mark', async () => {
  world.fake.addZone('comment.example');
  const provider = await openZone(world, 'comment.example');
  const comment = `tunnox:abcdefghijkl website_domain ${'x'.repeat(200)}`;
  const record = {
    type: 'A' as const,
    name: 'www.comment.example',
    value: '203.0.113.1',
    ttl: 1,
    proxied: null,
    comment,
  };
  assert.equal((await apply(provider, [{ kind: 'create', record }])).outcomes[0]?.kind, 'done');
  assert.equal(world.fake.zone('comment.example').records[0]?.comment?.length, 100);
  assert.equal((await provider.list(SIGNAL))[0]?.owned, true);
});

test('refusals are told in sentences, also when the code stands in a chain', async () => {
  for (const faults of ['plain', 'chained'] as const) {
    const domain = `${faults}.example`;
    const zone = world.fake.addZone(domain, { faults, recordsMax: 3 });
    zone.put('A', `taken.${domain}`, '192.0.2.1');
    zone.put('CNAME', `alias.${domain}`, 'elsewhere.example.com');
    const provider = await openZone(world, domain);
    const create = async (type: 'A' | 'CNAME', label: string, value: string, more: object = {}) => {
      const record = { type, name: `${label}.${domain}`, value, ttl: 300, proxied: null, comment: 'x', ...more };
      const [outcome] = (await apply(provider, [{ kind: 'create', record }])).outcomes;
      return outcome?.kind === 'failed' ? outcome.error.message : outcome?.kind;
    };
    assert.match((await create('A', 'bad', '203.0.113.999')) ?? '', /A record holds an IPv4 address \(code 9005\)/);
    assert.match((await create('CNAME', 'bad', '1.2.3.4')) ?? '', /CNAME holds a host name \(code 9007\)/);
    assert.match((await create('A', 'ttl', '203.0.113.1', { ttl: 30 })) ?? '', /TTL.*\(code 9021\)/);
    assert.match((await create('CNAME', 'taken', 'a.example.com')) ?? '', /exclude each other \(code 81053\)/);
    assert.match((await create('A', 'alias', '203.0.113.1')) ?? '', /nothing can stand beside it \(code 81054\)/);
    assert.match((await create('A', 'taken', '192.0.2.1')) ?? '', /this very record already \(code 81058\)/);
    assert.equal(await create('A', 'last', '203.0.113.1'), 'done');
    assert.match((await create('A', 'more', '203.0.113.1')) ?? '', /used up.*\(code 81045\)/);
  }
});

test('tokens: for another zone, to read only, and for records without their zone', async () => {
  for (const name of ['mine.example', 'theirs.example']) world.fake.addZone(name);
  world.fake.zone('mine.example').put('A', 'www.mine.example', '192.0.2.1');
  const id = world.fake.zone('mine.example').id;
  const open = async (token: string) => {
    const { access, driver } = await openAccess(openerOf({ token, endpoint: world.endpoint }), 1);
    const find = (domain: string, given: string | null = null) =>
      driver.findZone(access, { domain, id: given }, SIGNAL);
    return { find, provider: driver.open(access, { domain: 'mine.example', providerZoneId: id, tag: 'abcdefghijkl' }) };
  };
  const other = await open(world.fake.addToken({ zones: ['theirs.example'] }));
  await assert.rejects(other.find('mine.example'), isProviderError('zone_missing', /mine\.example/));
  await assert.rejects(other.provider.list(SIGNAL), isProviderError('unauthorized', /Zone \/ DNS \/ Edit/));
  const reader = await open(world.fake.addToken({ write: false }));
  assert.equal((await reader.provider.list(SIGNAL)).length, 1);
  const { stopped } = (await sync(reader.provider, [wish('A', 'new.mine.example', '203.0.113.1')])).applied;
  assert.equal(stopped?.kind, 'unauthorized');
  const records = await open(world.fake.addToken({ readZones: false }));
  await assert.rejects(records.find('mine.example'), isProviderError('unauthorized', /./));
  assert.equal(await records.find('mine.example', id), id);
  await assert.rejects(records.find('theirs.example', id), isProviderError('zone_missing', /www\.mine\.example/));
  for (const token of ['short', 'x y'.repeat(14)]) {
    await assert.rejects((await open(token)).find('mine.example'), isProviderError('unauthorized', /./));
  }
});

test('what breaks off, is late, lost or nonsense is unreachable, and the next sync finds what was done', async () => {
  world.fake.addZone('faults.example');
  const provider = await openZone(world, 'faults.example');
  let rows = [wish('A', 'n0.faults.example', '203.0.113.1')];
  const troubles: [CloudflareTrouble, RegExp][] = [
    [{ kind: 'down' }, /cannot be reached/],
    [{ kind: 'cut' }, /broke off/],
    [{ kind: 'answer', status: 500 }, /not working at the moment/],
    [{ kind: 'answer', status: 503, body: '<html>', retryAfterS: 9 }, /not working at the moment/],
    [{ kind: 'answer', status: 200, body: '{"success":true,"result":{}}' }, /Cloudflare/],
    [{ kind: 'answer', status: 200, body: 'not JSON' }, /not its API/],
    [{ kind: 'half' }, /not working at the moment/],
  ];
  for (const [trouble, message] of troubles) {
    rows = [...rows, ...[1, 2, 3].map((i) => wish('A', `n${rows.length}-${i}.faults.example`, '203.0.113.1'))];
    await broken(trouble, /^POST/);
    const { applied } = await sync(provider, rows);
    if (applied.stopped === null) assert.equal(trouble.kind, 'answer');
    else assert.ok(isProviderError('unreachable', message)(applied.stopped), applied.stopped.message);
    assert.equal((await sync(provider, rows)).applied.stopped, null);
    assert.equal(world.fake.zone('faults.example').records.length, rows.length, trouble.kind);
  }
  await broken({ kind: 'answer', status: 429, retryAfterS: 17 }, /^GET/);
  await assert.rejects(
    provider.list(SIGNAL),
    (error) => isProviderError('rate_limited', /17 s/)(error) && (error as ProviderError).retryAfterS === 17,
  );
  await broken({ kind: 'hang' }, /^GET/);
  await assert.rejects(provider.list(AbortSignal.timeout(100)), isProviderError('unreachable', /./));
});

test('a redirect is not followed, and nothing that is too large is read to its end', async () => {
  let asked = 0;
  world.fake.addZone('elsewhere.example');
  const provider = await openZone(world, 'elsewhere.example');
  world.fake.setBefore(() => void (asked += 1));
  await broken({ kind: 'answer', status: 307, location: `${world.endpoint}/zones` });
  await assert.rejects(provider.list(SIGNAL), isProviderError('unreachable', /redirect/));
  assert.equal(asked, 1);
  world.fake.setBefore(null);
  await broken({ kind: 'answer', status: 200, body: `{"a":"${'x'.repeat(17 * 1024 * 1024)}"}` });
  await assert.rejects(provider.list(SIGNAL), isProviderError('unreachable', /more than a zone/));
});

test('the calls of a token are counted as Cloudflare counts them', async () => {
  const token = world.fake.addToken();
  world.fake.addZone('limited.example');
  const clock = { now: 1_000_000 };
  world.fake.rate.now = () => clock.now;
  world.fake.rate.max = 3;
  try {
    const { access, driver } = await openAccess(openerOf({ token, endpoint: world.endpoint }), 1);
    const find = () => driver.findZone(access, { domain: 'limited.example', id: null }, SIGNAL);
    for (let i = 0; i < 3; i += 1) await find();
    clock.now += 100_000;
    await assert.rejects(find(), isProviderError('rate_limited', /200 s/));
    clock.now += 200_000;
    await find();
  } finally {
    world.fake.rate.max = 1200;
    world.fake.rate.now = Date.now;
  }
});

test('openAccess() asks the budget before each call, and tells it of a refusal', async () => {
  world.fake.addZone('budget.example');
  const blocked: [number, number][] = [];
  let waitS = 0;
  const credentials: ZoneOpenerDeps['credentials'] = {
    ...openerOf({ token: world.token, endpoint: world.endpoint }).credentials,
    takeCall: async (_, callsMax) => (callsMax === 1200 ? waitS : -1),
    block: async (id, seconds) => void blocked.push([id, seconds]),
  };
  const { access, driver, calls } = await openAccess({ ...openerOf({}), credentials }, 1);
  const find = () => driver.findZone(access, { domain: 'budget.example', id: null }, SIGNAL);
  await find();
  await broken({ kind: 'answer', status: 429, retryAfterS: 30 });
  await assert.rejects(find(), isProviderError('rate_limited', /30 s/));
  await broken({ kind: 'answer', status: 429 });
  await assert.rejects(find(), isProviderError('rate_limited', /300 s/));
  assert.deepEqual(blocked, [
    [1, 30],
    [1, 300],
  ]);
  waitS = 42;
  world.fake.calls = [];
  await assert.rejects(find(), isProviderError('rate_limited', /42 s/));
  assert.deepEqual([world.fake.calls.length, calls()], [0, 3]);
});
