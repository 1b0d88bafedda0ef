import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { needs } from '@tunnox/testing/needs';
import { waitFor } from '@tunnox/testing/wait-for';
import { cloudflareWorld, powerDnsWorld, type ProviderWorld } from './dns-provider-worlds.ts';
import { type Body, TestStack } from './test-stack.ts';

const WAIT_MS = 30_000;

/** What an operator does with records, by the API alone; the beat is the zone's own. */
function steps(start: () => Promise<ProviderWorld>, skip: string | false): void {
  const domain = 'steps.example';
  let stack: TestStack;
  let world: ProviderWorld;
  let zoneId: number;
  const ids: Record<string, number> = {};

  before(async () => {
    if (skip !== false) return;
    [stack, world] = await Promise.all([TestStack.start({ DNS_BEAT_MS: '300' }), start()]);
    await world.addZone(domain);
    const body = { name: 'dns', provider: world.kind, token: world.token, endpoint: world.endpoint };
    const credential = await call('POST', '/dns/credentials', 201, body);
    zoneId = (await call('POST', '/dns/zones', 201, { domain, credential_id: credential['credential_id'] }))['zone_id'];
  });
  after(async () => {
    await stack?.stop();
    await world?.stop();
  });

  async function call(method: string, path: string, status: number, body?: unknown): Promise<Body> {
    const answer = await stack.asOperator(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
  const read = (name: string): Promise<Body> => call('GET', `/dns/records/${ids[name]}`, 200);
  const namesOf = async (query: string): Promise<string[]> => {
    const { records } = await call('GET', `/dns/records?limit=100${query}`, 200);
    return (records as Body[]).map(({ name }) => name as string).toSorted();
  };
  async function create(name: string, wish: Body, whole: string): Promise<void> {
    const made = await call('POST', '/dns/records', 201, { zone_id: zoneId, ttl: 300, ...wish });
    ids[name] = made['record_id'] as number;
    assert.deepEqual([made['status'], made['desired_state'], made['name']], ['pending', 'present', whole]);
    assert.deepEqual([made['owner_type'], made['type']], [wish['owner_type'], wish['type']]);
  }
  const isActive = async (name: string) => (await read(name))['status'] === 'active';

  test('1. an A record of a node group', { skip }, () =>
    create(
      'A',
      { type: 'A', name: 'eu', value: '203.0.113.1', owner_type: 'node_group', owner_id: 'eu' },
      `eu.${domain}`,
    ),
  );
  test('2. a CNAME of a website', { skip }, () =>
    create(
      'CNAME',
      { type: 'CNAME', name: 'www', value: `eu.${domain}.`, owner_type: 'website_domain', owner_id: '7' },
      `www.${domain}`,
    ),
  );
  test('3. a TXT of an ACME challenge', { skip }, () =>
    create(
      'TXT',
      { type: 'TXT', name: '_acme-challenge', value: 'proof', owner_type: 'acme_challenge', ttl: 60 },
      `_acme-challenge.${domain}`,
    ),
  );
  test('4. @ is the zone itself', { skip }, () =>
    create('@', { type: 'A', name: '@', value: '203.0.113.2', owner_type: 'line_group', owner_id: 'eu' }, domain),
  );
  test('5. a.b is below the zone', { skip }, () =>
    create('a.b', { type: 'A', name: 'a.b', value: '203.0.113.3', owner_type: 'manual' }, `a.b.${domain}`),
  );

  const all = ['_acme-challenge', 'a.b', 'eu', 'www']
    .map((label) => `${label}.${domain}`)
    .concat(domain)
    .toSorted();
  test('6. all records are listed', { skip }, async () => assert.deepEqual(await namesOf(''), all));
  test('7. by zone', { skip }, async () => {
    assert.deepEqual(await namesOf(`&zone_id=${zoneId}`), all);
    assert.deepEqual(await namesOf('&zone_id=999999'), []);
  });
  test('8. by status, once the beat has run by itself', { skip }, async () => {
    await waitFor(async () => (await namesOf('&status=active')).length === 5, WAIT_MS);
    assert.deepEqual(await namesOf('&status=error'), []);
  });
  test('9. by owner', { skip }, async () => {
    assert.deepEqual(await namesOf('&owner_type=line_group'), [domain]);
    assert.deepEqual(await namesOf('&owner_type=node_group&owner_id=eu'), [`eu.${domain}`]);
    assert.deepEqual(await namesOf('&owner_id=nobody'), []);
  });
  test('10. one is read', { skip }, async () => {
    const record = await read('CNAME');
    assert.deepEqual([record['value'], record['ttl'], record['owner_id']], [`eu.${domain}`, 300, '7']);
    await call('GET', '/dns/records/999999', 404);
  });
  test('11. active means: the provider has it, under an id of its own', { skip }, async () => {
    for (const name of Object.keys(ids)) {
      const record = await read(name);
      assert.ok(record['provider_record_id'], name);
      assert.deepEqual([record['retry_count'], record['next_retry_at'], record['last_error']], [0, null, null]);
      assert.ok(record['synced_at']);
    }
  });
  test('12. the name server answers', { skip }, async () => {
    assert.deepEqual(await world.there(domain, 'A', `eu.${domain}`), ['203.0.113.1 300']);
    assert.deepEqual(await world.there(domain, 'A', domain), ['203.0.113.2 300']);
    assert.deepEqual(await world.there(domain, 'A', `a.b.${domain}`), ['203.0.113.3 300']);
    assert.deepEqual(await world.there(domain, 'CNAME', `www.${domain}`), [`eu.${domain} 300`]);
    assert.deepEqual(await world.there(domain, 'TXT', `_acme-challenge.${domain}`), ['"proof" 60']);
  });
  test('13. what cannot be made is an error that says why', { skip }, async () => {
    await world.foreign(domain, 'A', `taken.${domain}`, '198.51.100.1');
    await create('taken', { type: 'A', name: 'taken', value: '203.0.113.9', owner_type: 'manual' }, `taken.${domain}`);
    await waitFor(async () => (await read('taken'))['status'] === 'error', WAIT_MS);
    const record = await read('taken');
    assert.deepEqual([record['retry_count'], record['last_error_code']], [1, 'conflict']);
    assert.match(record['last_error'] as string, /taken\.steps\.example.*not made here.*198\.51\.100\.1/);
    const dueInS = (Date.parse(record['next_retry_at'] as string) - Date.parse(record['updated_at'] as string)) / 1000;
    assert.equal(Math.round(dueInS), 60);
    assert.deepEqual(await namesOf('&status=error'), [`taken.${domain}`]);
    assert.deepEqual(await world.there(domain, 'A', `taken.${domain}`), ['198.51.100.1 300'], 'it is left alone');
  });
  test('14. a person tries again once the reason is gone', { skip }, async () => {
    await world.wipe(domain, 'A', `taken.${domain}`);
    const retried = await call('POST', `/dns/records/${ids['taken']}/retry`, 200);
    assert.equal(retried['retry_count'], 0);
    await waitFor(() => isActive('taken'), WAIT_MS);
    assert.deepEqual(await world.there(domain, 'A', `taken.${domain}`), ['203.0.113.9 300']);
  });
  test('15. records are marked for deletion, one and several', { skip }, async () => {
    await world.pause();
    const marked = await call('DELETE', `/dns/records/${ids['a.b']}`, 202);
    assert.equal(marked['desired_state'], 'absent');
    const several = [ids['CNAME'], ids['TXT'], ids['a.b'], 999_999];
    assert.deepEqual(await call('POST', '/dns/records/delete', 200, { ids: several }), { affected: 2 });
  });
  test('16. what waits for its deletion is listed', { skip }, async () => {
    const waiting = ['_acme-challenge', 'a.b', 'www'].map((label) => `${label}.${domain}`);
    assert.deepEqual(await namesOf('&desired_state=absent'), waiting);
    await waitFor(async () => (await namesOf('&desired_state=absent&status=error')).length === 3, WAIT_MS);
    assert.match((await read('a.b'))['last_error'] as string, /cannot be reached/);
  });
  test('17. the beat deletes them at the provider', { skip }, async () => {
    await world.resume();
    for (const name of ['a.b', 'CNAME', 'TXT']) await stack.asOperator('POST', `/dns/records/${ids[name]}/retry`);
    await waitFor(async () => (await world.there(domain, 'A', `a.b.${domain}`)).length === 0, WAIT_MS);
    await waitFor(async () => (await world.there(domain, 'TXT', `_acme-challenge.${domain}`)).length === 0, WAIT_MS);
    await waitFor(async () => (await world.there(domain, 'CNAME', `www.${domain}`)).length === 0, WAIT_MS);
  });
  test('18. and then their rows are gone', { skip }, async () => {
    await waitFor(async () => (await namesOf('&desired_state=absent')).length === 0, WAIT_MS);
    for (const name of ['a.b', 'CNAME', 'TXT']) await call('GET', `/dns/records/${ids[name]}`, 404);
    assert.deepEqual(await namesOf(''), [domain, `eu.${domain}`, `taken.${domain}`].toSorted());
    const { runs } = await call('GET', `/dns/zones/${zoneId}/runs`, 200);
    assert.ok((runs as Body[]).length > 0 && (runs as Body[]).every(({ status }) => status !== 'running'));
    const { record } = { record: JSON.stringify(await call('GET', `/dns/zones/${zoneId}`, 200)) };
    for (const said of [record, JSON.stringify(runs), stack.logLines.join('\n')])
      assert.ok(!said.includes(world.token));
  });
}

suite('Cloudflare', () => steps(cloudflareWorld, false));
suite('PowerDNS', () => steps(powerDnsWorld, needs('pdns_server')));
