import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { after, afterEach, before, suite, test } from 'node:test';
import { needs } from '@tunnox/testing/needs';
import { type PowerDnsFixture, startPowerDns } from '@tunnox/testing/powerdns';
import { waitFor } from '@tunnox/testing/wait-for';
import { FakeRelay } from './fake-relay.ts';
import { type Answer, BASE_DOMAIN, type Body, TestStack } from './test-stack.ts';

const LEASE_MS = 1500;
const WAIT_MS = 20_000;

suite('DNS records follow their owners', { skip: needs('pdns_server') }, () => {
  let stack: TestStack;
  let dns: PowerDnsFixture;
  let resolver: Resolver;
  let credentialId: number;
  let zoneId: number;
  const alive = new Set<FakeRelay>();
  const beat = setInterval(() => {
    for (const relay of alive) relay.sendRaw('ping');
  }, LEASE_MS / 5);

  before(async () => {
    stack = await TestStack.start({ RELAY_LEASE_MS: String(LEASE_MS), DNS_BEAT_MS: '1000' });
    dns = await startPowerDns();
    resolver = new Resolver({ timeout: 1000, tries: 1 });
    resolver.setServers([`127.0.0.1:${dns.dnsPort}`]);
    await dns.createZone(BASE_DOMAIN);
    credentialId = await connect(await stack.asOperator('POST', '/dns/credentials', credential()));
    zoneId = await connect(
      await stack.asOperator('POST', '/dns/zones', { domain: BASE_DOMAIN, credential_id: credentialId }),
    );
  });
  after(async () => {
    clearInterval(beat);
    for (const relay of alive) relay.drop();
    await stack?.stop();
    await dns?.stop();
  });
  /** Every test ends without relays. */
  afterEach(async () => {
    for (const relay of alive) relay.send({ type: 'leaving' });
    alive.clear();
    await waitFor(async () => {
      const { body } = await stack.asOperator('GET', '/nodes');
      const nodes = body['nodes'] as { node_id: string; status: string }[];
      if (!nodes.every(({ status }) => status === 'offline')) return false;
      for (const { node_id } of nodes) await stack.asOperator('DELETE', `/nodes/${node_id}`);
      return true;
    }, WAIT_MS);
    await stack.sweep();
  });

  const credential = () => ({ name: 'dns', provider: 'powerdns', token: dns.apiKey, endpoint: dns.apiUrl });

  async function connect(answer: Answer): Promise<number> {
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    return (answer.body['zone_id'] ?? answer.body['credential_id']) as number;
  }

  /** What the name server answers, sorted; nothing and no such name are the same here. */
  async function answers(name: string, type: 'A' | 'AAAA' | 'CNAME' | 'TXT' = 'A'): Promise<string[]> {
    try {
      const found = await resolver.resolve(name, type);
      return (found as (string | string[])[]).map((one) => (Array.isArray(one) ? one.join('') : one)).toSorted();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTFOUND' || code === 'ENODATA') return [];
      throw error;
    }
  }

  async function untilAnswers(name: string, expected: string[], type: 'A' | 'AAAA' | 'CNAME' | 'TXT' = 'A') {
    let last: string[] = [];
    await waitFor(async () => {
      last = await answers(name, type);
      return JSON.stringify(last) === JSON.stringify(expected.toSorted());
    }, WAIT_MS).catch(async (error: unknown) => {
      const { rows } = await stack.database.query(
        'select type, name, value, status, desired_state, last_error, next_retry_at from domain_dns_records',
      );
      throw new Error(`${type} ${name}: ${last.join()} in place of ${expected.join()}; ${JSON.stringify(rows)}`, {
        cause: error,
      });
    });
  }

  async function start(group: string, address: string, body: Record<string, unknown> = {}): Promise<FakeRelay> {
    const token = await stack.asOperator('POST', '/join-tokens', { relay_group: group });
    const relay = new FakeRelay(stack.url);
    await relay.register({ join_token: token.body['join_token'], public_address: address, region: group, ...body });
    await relay.open();
    alive.add(relay);
    return relay;
  }

  /** Its process is killed: no word, no session, no heartbeat. */
  function kill(...relays: FakeRelay[]): void {
    for (const relay of relays) {
      alive.delete(relay);
      relay.drop();
    }
  }

  const rows = async (where: string): Promise<Body[]> =>
    (await stack.database.query(`select * from domain_dns_records where ${where} order by record_id`)).rows;

  test('a relay appears under its group and its region, by both kinds of address, and goes when it says so', async () => {
    await start('eu', 'fra-1.example.com', {
      public_ipv4: '203.0.113.1',
      public_ipv6: '2001:DB8:0::1',
      region: 'Paris',
    });
    const second = await start('eu', '203.0.113.2', { region: 'paris' });
    const name = `eu.relay.${BASE_DOMAIN}`;
    await untilAnswers(name, ['203.0.113.1', '203.0.113.2']);
    await untilAnswers(name, ['2001:db8::1'], 'AAAA');
    await untilAnswers(`paris.relay.${BASE_DOMAIN}`, ['203.0.113.1', '203.0.113.2']);
    const made = await rows("name like 'eu.%'");
    for (const row of made) {
      assert.deepEqual(
        [row['owner_type'], row['owner_id'], row['ttl'], row['automatic'], row['zone_id']],
        ['node_group', 'eu', 60, true, String(zoneId)],
      );
    }
    assert.deepEqual(
      (await rows("name like 'paris.%'")).map((row) => [row['owner_type'], row['owner_id']]),
      [
        ['line_group', 'paris'],
        ['line_group', 'paris'],
        ['line_group', 'paris'],
      ],
    );
    // Who deletes one would see it come back.
    const [first] = made;
    const refused = await stack.asOperator('DELETE', `/dns/records/${first?.['record_id']}`);
    assert.deepEqual([refused.status, refused.body['code']], [409, 'conflict']);
    assert.match(refused.body['detail'], /follows its owner \(node_group eu\)/);
    const many = await stack.asOperator('POST', '/dns/records/delete', {
      ids: made.map((row) => Number(row['record_id'])),
    });
    assert.deepEqual(many.body, { affected: 0 });
    // A relay of whose address nobody knows anything is in no record.
    await start('eu', 'somewhere.example.com');
    second.send({ type: 'draining' });
    await untilAnswers(name, ['203.0.113.1']);
    await untilAnswers(`paris.relay.${BASE_DOMAIN}`, ['203.0.113.1']);
  });

  test('POST /relay/v1/withdraw answers when the name server names the relay no more', async () => {
    const [first] = await Promise.all([start('as', '203.0.113.10'), start('as', '203.0.113.11')]);
    const name = `as.relay.${BASE_DOMAIN}`;
    await untilAnswers(name, ['203.0.113.10', '203.0.113.11']);
    const answer = await first.call('/withdraw', { body: {} });
    assert.deepEqual([answer.status, await answer.json()], [200, { dns: 'gone' }]);
    assert.deepEqual(await answers(name), ['203.0.113.11']);
    const { body } = await stack.asOperator('GET', `/nodes/${first.nodeId}`);
    assert.equal(body['status'], 'draining');
    // Again, and by one that was never named.
    assert.deepEqual(await (await first.call('/withdraw', { body: {} })).json(), { dns: 'none' });
    const nameless = await start('as', 'name.example.com');
    assert.deepEqual(await (await nameless.call('/withdraw', { body: {} })).json(), { dns: 'none' });
    assert.equal((await first.call('/withdraw', { body: {}, token: 'x' })).status, 401);
  });

  test('a relay that asks to be let go is not held up by a provider that is away', async () => {
    const relay = await start('as', '203.0.113.12');
    await untilAnswers(`as.relay.${BASE_DOMAIN}`, ['203.0.113.12']);
    await dns.pause();
    try {
      const answer = await relay.call('/withdraw', { body: {} });
      assert.deepEqual(await answer.json(), { dns: 'pending' });
    } finally {
      await dns.resume();
    }
  });

  test('a relay that dies is gone within its lease and a beat, and its name goes with the last one', async () => {
    const [first, second] = await Promise.all([start('us', '203.0.113.20'), start('us', '203.0.113.21')]);
    await start('other', '203.0.113.22');
    const name = `us.relay.${BASE_DOMAIN}`;
    await untilAnswers(name, ['203.0.113.20', '203.0.113.21']);
    kill(first);
    await untilAnswers(name, ['203.0.113.21']);
    kill(second);
    await untilAnswers(name, []);
    assert.deepEqual(await answers(`other.relay.${BASE_DOMAIN}`), ['203.0.113.22']);
  });

  test('when most relays of a group seem dead at once, what was known stays until they come back', async () => {
    const relays = await Promise.all([30, 31, 32, 33].map((last) => start('big', `203.0.113.${last}`)));
    const all = [30, 31, 32, 33].map((last) => `203.0.113.${last}`);
    const name = `big.relay.${BASE_DOMAIN}`;
    await untilAnswers(name, all);
    const dead = relays.slice(0, 3);
    kill(...dead);
    await waitFor(async () => {
      const { body } = await stack.asOperator('GET', '/nodes?group=big&status=offline');
      return body['total'] === 3;
    }, WAIT_MS);
    await stack.sweep();
    assert.ok(stack.logLines.some((line) => /Most relays seem dead at once/.test(line)));
    const metrics = await stack.asOperator('GET', '//metrics');
    assert.match(metrics.body['text'], /^tunnox_dns_doubted_relays 3$/m);
    await untilAnswers(name, all);
    // Two come back: one of four that is gone is no doubt any more.
    for (const relay of dead.slice(0, 2)) {
      await relay.open();
      alive.add(relay);
    }
    await untilAnswers(name, all.slice(0, 2).concat(all.slice(3)));
  });

  test('a doubt ends after a while, and at once when an operator removes the relays', async () => {
    const relays = await Promise.all([40, 41, 42].map((last) => start('old', `203.0.113.${last}`)));
    const name = `old.relay.${BASE_DOMAIN}`;
    await untilAnswers(name, ['203.0.113.40', '203.0.113.41', '203.0.113.42']);
    kill(...relays);
    await waitFor(
      async () => (await stack.asOperator('GET', '/nodes?group=old&status=offline')).body['total'] === 3,
      WAIT_MS,
    );
    await stack.sweep();
    await untilAnswers(name, ['203.0.113.40', '203.0.113.41', '203.0.113.42']);
    assert.equal((await stack.asOperator('DELETE', `/nodes/${relays[0]?.nodeId}`)).status, 204);
    await untilAnswers(name, ['203.0.113.41', '203.0.113.42']);
    await stack.database.query("update relay_nodes set lost_at = lost_at - interval '16 minutes'");
    await stack.sweep();
    await untilAnswers(name, []);
  });

  test('a relay that comes and goes ten times ends right, and costs the provider few calls', async () => {
    await start('flap', '203.0.113.50');
    const flapping = await start('flap', '203.0.113.51');
    const name = `flap.relay.${BASE_DOMAIN}`;
    await untilAnswers(name, ['203.0.113.50', '203.0.113.51']);
    const { rows: before } = await stack.database.query(
      'select coalesce(sum(provider_calls), 0)::int as calls from dns_runs',
    );
    for (let round = 0; round < 10; round += 1) {
      flapping.send({ type: 'leaving' });
      await waitFor(async () => {
        const { body } = await stack.asOperator('GET', `/nodes/${flapping.nodeId}`);
        return body['status'] === 'offline';
      }, WAIT_MS);
      await flapping.register({ public_address: '203.0.113.51', region: 'flap' });
      await flapping.open();
      assert.ok((await answers(name)).includes('203.0.113.50'), 'never empty');
    }
    const { rows: after } = await stack.database.query(
      'select coalesce(sum(provider_calls), 0)::int as calls from dns_runs',
    );
    assert.ok(after[0].calls - before[0].calls <= 12, `${after[0].calls - before[0].calls} calls`);
    // It waits to be believed, and is let in then.
    const [row] = await rows(`value = '203.0.113.51' and name = '${name}'`);
    assert.equal(row?.['desired_state'], 'present');
    await stack.database.query(
      "update domain_dns_records set next_retry_at = now() where value = '203.0.113.51' and next_retry_at is not null",
    );
    await stack.asOperator('POST', `/dns/zones/${zoneId}/reconcile`);
    await untilAnswers(name, ['203.0.113.50', '203.0.113.51']);
  });

  test('a restart within the lease changes nothing', async () => {
    const relay = await start('steady', '203.0.113.60');
    const name = `steady.relay.${BASE_DOMAIN}`;
    await untilAnswers(name, ['203.0.113.60']);
    const [before] = await rows(`name = '${name}'`);
    relay.drop();
    await relay.register({ public_address: '203.0.113.60', region: 'steady' });
    await relay.open();
    const [after] = await rows(`name = '${name}'`);
    assert.deepEqual([after?.['row_version'], after?.['desired_state']], [before?.['row_version'], 'present']);
    // With another address it moves.
    relay.drop();
    await relay.register({ public_address: '203.0.113.61', region: 'steady' });
    await relay.open();
    await untilAnswers(name, ['203.0.113.61']);
  });

  test("people's own records at such names stay as they are", async () => {
    const own = { zone_id: zoneId, type: 'A', name: 'mine.relay', value: '198.51.100.1', ttl: 300 };
    const made = await stack.asOperator('POST', '/dns/records', own);
    assert.equal(made.status, 201);
    const named = { zone_id: zoneId, type: 'CNAME', name: 'alias.relay', value: 'elsewhere.example.com' };
    assert.equal((await stack.asOperator('POST', '/dns/records', named)).status, 201);
    const byHand = { ...own, name: 'byhand', value: '198.51.100.2', owner_type: 'node_group', owner_id: 'eu' };
    assert.equal((await stack.asOperator('POST', '/dns/records', byHand)).status, 201);
    await Promise.all([start('mine', '203.0.113.70'), start('alias', '203.0.113.71')]);
    await untilAnswers(`mine.relay.${BASE_DOMAIN}`, ['198.51.100.1', '203.0.113.70']);
    await stack.sweep();
    assert.deepEqual(await rows("name like 'alias.relay.%' and type = 'A'"), []);
    assert.deepEqual(await answers(`byhand.${BASE_DOMAIN}`), ['198.51.100.2']);
    assert.equal(
      (await rows("name like 'mine.relay.%'")).every((row) => row['ttl'] === 300),
      true,
    );
  });

  test('base domains lead to the group that their zone names, as long as it names one', async () => {
    await Promise.all([start('web', '203.0.113.80', { public_ipv6: '2001:db8::80' }), start('web', '203.0.113.81')]);
    await untilAnswers(`web.relay.${BASE_DOMAIN}`, ['203.0.113.80', '203.0.113.81']);
    assert.deepEqual(await answers(BASE_DOMAIN), []);
    const changed = await stack.asOperator('PUT', `/dns/zones/${zoneId}`, { website_group: 'web' });
    assert.equal(changed.status, 200, JSON.stringify(changed.body));
    await untilAnswers(BASE_DOMAIN, ['203.0.113.80', '203.0.113.81']);
    await untilAnswers(BASE_DOMAIN, ['2001:db8::80'], 'AAAA');
    await untilAnswers(`shop.${BASE_DOMAIN}`, ['203.0.113.80', '203.0.113.81']);
    assert.deepEqual(await answers(`shop.${BASE_DOMAIN}`, 'CNAME'), [`web.relay.${BASE_DOMAIN}`]);
    assert.deepEqual(
      [...new Set((await rows("owner_type = 'website_domain'")).map((row) => row['owner_id']))],
      [BASE_DOMAIN],
    );
    await stack.asOperator('PUT', `/dns/zones/${zoneId}`, { website_group: null });
    await untilAnswers(`shop.${BASE_DOMAIN}`, []);
    await untilAnswers(BASE_DOMAIN, []);
    // Nothing is made by itself, and what was goes.
    await stack.asOperator('PUT', `/dns/zones/${zoneId}`, { owner_records: false });
    await untilAnswers(`web.relay.${BASE_DOMAIN}`, []);
    await stack.asOperator('PUT', `/dns/zones/${zoneId}`, { owner_records: true });
    await untilAnswers(`web.relay.${BASE_DOMAIN}`, ['203.0.113.80', '203.0.113.81']);
  });

  async function tenantWithZone(name: string, domain: string) {
    const { userId, token } = await stack.newUser(name);
    const clientId = await stack.newClient(token);
    await dns.createZone(domain);
    const made = await stack.call('POST', '/dns/credentials', {
      token,
      body: { ...credential(), endpoint: 'https://dns.example.net:8081' },
    });
    const tenantCredential = await connect(made);
    // A tenant's name server is not on this machine; here the zone is the tenant's, and the way to it the operators'.
    const zone = await connect(await stack.asOperator('POST', '/dns/zones', { domain, credential_id: credentialId }));
    await stack.database.query('update dns_zones set user_id = $1 where zone_id = $2', [userId, zone]);
    const claim = async (full: string): Promise<Body> => {
      const domainMade = await stack.call('POST', '/domains', {
        token,
        body: { client_id: clientId, target_port: 3000, domain: full },
      });
      assert.equal(domainMade.status, 201, JSON.stringify(domainMade.body));
      return domainMade.body;
    };
    return { userId, token, clientId, credentialId: tenantCredential, zone, claim };
  }

  test("a custom domain has what it needs in its tenant's zone, and takes it along", async () => {
    await start('default', '203.0.113.90');
    const tenant = await tenantWithZone('zoned', 'zoned.example');
    const [shop, apex] = [await tenant.claim('shop.zoned.example'), await tenant.claim('zoned.example')];
    await untilAnswers('shop.zoned.example', [`relays.${BASE_DOMAIN}`], 'CNAME');
    await untilAnswers('zoned.example', ['203.0.113.90']);
    await untilAnswers('_tunnox.shop.zoned.example', [shop['proofs'][0].value], 'TXT');
    await untilAnswers('_tunnox.zoned.example', [apex['proofs'][0].value], 'TXT');
    const own = { zone_id: tenant.zone, type: 'TXT', name: 'note', value: 'mine', owner_type: 'website_domain' };
    const owned = { ...own, owner_id: String(shop['domain_id']) };
    assert.equal((await stack.call('POST', '/dns/records', { token: tenant.token, body: owned })).status, 201);
    await untilAnswers('note.zoned.example', ['mine'], 'TXT');
    // Somebody else's domain in this zone gets nothing here.
    const other = await stack.newUser('not-zoned');
    const body = { client_id: await stack.newClient(other.token), target_port: 1, domain: 'other.zoned.example' };
    assert.equal((await stack.call('POST', '/domains', { token: other.token, body })).status, 201);
    await stack.sweep();
    assert.deepEqual(await rows("name like '%other.zoned.example'"), []);

    const path = `/domains/${shop['domain_id']}`;
    assert.equal((await stack.call('DELETE', path, { token: tenant.token })).status, 204);
    await untilAnswers('shop.zoned.example', [], 'CNAME');
    await untilAnswers('_tunnox.shop.zoned.example', [], 'TXT');
    await untilAnswers('note.zoned.example', [], 'TXT');
    assert.deepEqual(await answers('zoned.example'), ['203.0.113.90']);
    await waitFor(async () => (await rows(`owner_id = '${shop['domain_id']}'`)).length === 0, WAIT_MS);
    // With its client goes what only it has served.
    assert.equal((await stack.call('DELETE', `/clients/${tenant.clientId}`, { token: tenant.token })).status, 204);
    await untilAnswers('zoned.example', []);
    await untilAnswers('_tunnox.zoned.example', [], 'TXT');
  });

  test('a user that is deleted takes along what belongs to its domains; its own records stay, its token goes', async () => {
    const tenant = await tenantWithZone('leaver', 'leaver.example');
    await tenant.claim('shop.leaver.example');
    const own = { zone_id: tenant.zone, type: 'A', name: 'mail', value: '198.51.100.9' };
    assert.equal((await stack.call('POST', '/dns/records', { token: tenant.token, body: own })).status, 201);
    await untilAnswers('shop.leaver.example', [`relays.${BASE_DOMAIN}`], 'CNAME');
    await untilAnswers('mail.leaver.example', ['198.51.100.9']);
    assert.equal((await stack.asOperator('DELETE', `/users/${tenant.userId}`)).status, 204);
    await untilAnswers('shop.leaver.example', [], 'CNAME');
    await waitFor(async () => {
      await stack.sweep();
      const zone = await stack.asOperator('GET', `/dns/zones/${tenant.zone}`);
      return zone.status === 404;
    }, WAIT_MS);
    assert.equal((await stack.asOperator('GET', `/dns/credentials/${tenant.credentialId}`)).status, 404);
    assert.deepEqual(await answers('mail.leaver.example'), ['198.51.100.9']);
    const { rows: lines } = await stack.database.query(
      "select action from audit_log where actor_type = 'system' and user_id = $1 order by action",
      [tenant.userId],
    );
    assert.deepEqual(lines, [{ action: 'dns_credential.delete' }, { action: 'dns_zone.delete' }]);
  });
});
