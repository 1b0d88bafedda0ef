import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { type DohFront, startDohFront } from '@tunnox/testing/doh-front';
import { needs } from '@tunnox/testing/needs';
import { type PowerDnsFixture, startPowerDns } from '@tunnox/testing/powerdns';
import { FakeRelay } from './fake-relay.ts';
import { BASE_DOMAIN, type Body, TestStack } from './test-stack.ts';

const ZONE = 'customer.example';
const RELAY = '203.0.113.7';
const RELAY_6 = '2001:db8::7';

suite('setup of custom domains', { skip: needs('pdns_server') }, () => {
  let stack: TestStack;
  let dns: PowerDnsFixture;
  let front: DohFront;
  let token: string;
  let userId: number;
  let clientId: number;

  before(async () => {
    dns = await startPowerDns();
    front = await startDohFront(dns.dnsPort);
    await dns.createZone(ZONE);
    await dns.createZone(BASE_DOMAIN);
    stack = await TestStack.start({ DNS_RESOLVER_URL: front.url });
    const relay = new FakeRelay(stack.url);
    const { body } = await stack.asOperator('POST', '/join-tokens', {});
    await relay.register({ join_token: body['join_token'], public_ipv4: RELAY, public_ipv6: RELAY_6 });
    await relay.open();
    ({ userId, token } = await stack.newUser('setter'));
    clientId = await stack.newClient(token);
    relays.push(relay);
  });
  const relays: FakeRelay[] = [];
  after(async () => {
    for (const relay of relays) relay.drop();
    await stack?.stop();
    await front?.stop();
    await dns?.stop();
  });

  async function claim(label: string, more: Record<string, unknown> = {}): Promise<Body> {
    const body = { client_id: clientId, target_port: 3000, domain: `${label}.${ZONE}`, ...more };
    const made = await stack.call('POST', '/domains', { token, body });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    return made.body;
  }
  const read = async (domain: Body): Promise<Body> =>
    (await stack.call('GET', `/domains/${domain['domain_id']}`, { token })).body;
  async function verify(domain: Body): Promise<Body> {
    const answer = await stack.call('POST', `/domains/${domain['domain_id']}/verify`, { token });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body['setup'] as Body;
  }
  const states = (setup: Body) =>
    ['ownership', 'dns', 'challenge', 'certificate'].map((part) => setup[part].state as string).join(' ');
  const set = (label: string, type: string, ...values: string[]) =>
    dns.setRecords(ZONE, label === '@' ? ZONE : `${label}.${ZONE}`, type, values);

  test('a name under a base domain needs nothing', async () => {
    const made = await stack.call('POST', '/domains', { token, body: { client_id: clientId, target_port: 1 } });
    assert.equal(made.body['setup'], null);
  });

  test('GET says what is missing as of the last look, and makes none; verify looks at everything', async () => {
    const domain = await claim('steps');
    const name = `steps.${ZONE}`;
    assert.equal(domain['setup'].checked_at, null);
    assert.equal(states(domain['setup']), 'todo waiting waiting waiting');
    const queries = front.queries;
    await read(domain);
    assert.equal(front.queries, queries);

    const nothing = await verify(domain);
    assert.equal(states(nothing), 'todo todo todo waiting');
    assert.deepEqual(nothing['ownership'].todo, domain['proofs']);
    const todo = nothing['dns'].todo as { type: string; name: string; value: string }[];
    assert.deepEqual(todo[0], { type: 'CNAME', name, value: `relays.${BASE_DOMAIN}` });
    assert.deepEqual(
      new Set(todo.slice(1).map((one) => `${one.type} ${one.name} ${one.value}`)),
      new Set([`A ${name} ${RELAY}`, `AAAA ${name} ${RELAY_6}`]),
    );
    const [delegation] = nothing['challenge'].todo;
    assert.deepEqual([delegation.type, delegation.name], ['CNAME', `_acme-challenge.${name}`]);
    assert.match(nothing['dns'].detail, /leads nowhere/);

    await set('_tunnox.steps', 'TXT', domain['proofs'][0].value);
    await set('_acme-challenge.steps', 'CNAME', delegation.value);
    assert.equal(states(await verify(domain)), 'done todo done waiting');
    await set('steps', 'CNAME', `relays.${BASE_DOMAIN}`);
    const all = await verify(domain);
    assert.equal(states(all), 'done done done waiting');
    assert.ok(all['checked_at'] !== null);
    assert.deepEqual((await read(domain))['setup'], all);
  });

  test('addresses count as they lead: here, partly, elsewhere, nowhere, no answer', async () => {
    const domain = await claim('led');
    const dnsState = async (): Promise<string> => {
      const { dns: step } = await verify(domain);
      return `${step.state}: ${step.detail}`;
    };
    await set('led', 'A', RELAY);
    await set('led', 'AAAA', RELAY_6);
    assert.match(await dnsState(), /^done: .*203\.0\.113\.7, 2001:db8::7/);
    await set('led', 'A', RELAY, '198.51.100.9');
    assert.match(await dnsState(), /^problem: Some visitors go elsewhere/);
    await set('led', 'AAAA');
    await set('led', 'A', '198.51.100.9');
    assert.match(await dnsState(), /^todo: .*leads elsewhere \(198\.51\.100\.9\)/);
    await set('led', 'A');
    await set('led', 'CNAME', 'gone.elsewhere.example');
    assert.match(await dnsState(), /^todo: .*leads elsewhere \(gone\.elsewhere\.example\)/);
    await set('led', 'CNAME');
    assert.match(await dnsState(), /^todo: .*leads nowhere/);
    await set('led', 'LUA', 'A "this is no Lua("');
    assert.match(await dnsState(), /^problem: The name servers/);
    await set('led', 'LUA');
    // Behind a load balancer relays have other addresses than they know: our own name says where that is.
    await dns.setRecords(BASE_DOMAIN, `relays.${BASE_DOMAIN}`, 'A', ['198.51.100.77']);
    await set('led', 'A', '198.51.100.77');
    assert.match(await dnsState(), /^done: /);
  });

  test('the sweep looks by itself, ever more rarely, and at what operators vouch for, too', async () => {
    const vouched = await stack.asOperator('POST', '/domains', {
      ...{ client_id: clientId, target_port: 1, domain: `vouched.${ZONE}` },
    });
    await set('vouched', 'A', RELAY);
    const missing = await claim('unmade');
    await stack.sweep();
    assert.equal((await read(vouched.body))['setup'].dns.state, 'done');
    assert.equal((await read(missing))['setup'].dns.state, 'todo');
    const { rows } = await stack.database.query<{ id: string; due: number }>(
      `select id, extract(epoch from setup_due_at - now())::float8 as due from http_domain_mappings
       where id = any($1) order by id`,
      [[vouched.body['domain_id'], missing['domain_id']]],
    );
    assert.ok((rows[0]?.due ?? 0) > 21_000 && (rows[1]?.due ?? 0) < 70, JSON.stringify(rows));
    const queries = front.queries;
    await stack.database.query('update http_domain_mappings set proof_due_at = null');
    await stack.sweep();
    assert.equal(front.queries, queries, 'nothing is due');
  });

  test('a resolver that is away changes nothing that was seen, and ends no sweep', async () => {
    const domain = await claim('lasting');
    await set('lasting', 'A', RELAY);
    const before = await verify(domain);
    front.setMode('error');
    try {
      await stack.database.query('update http_domain_mappings set setup_due_at = now(), proof_due_at = null');
      await stack.sweep();
      assert.deepEqual((await read(domain))['setup'], before);
    } finally {
      front.setMode('serve');
    }
  });

  test('what is made in a connected zone is not asked for', async () => {
    const { rows } = await stack.database.query(
      `insert into provider_credentials (user_id, name, provider, token_encrypted) values ($1, 'x', 'cloudflare', 'x')
       returning credential_id`,
      [userId],
    );
    await stack.database.query(
      `insert into dns_zones (user_id, domain, credential_id, tag) values ($1, 'linked.example', $2, 'abcdefghijkl')`,
      [userId, rows[0].credential_id],
    );
    const body = { client_id: clientId, target_port: 3000, domain: 'linked.example' };
    const made = await stack.call('POST', '/domains', { token, body });
    assert.equal(states(made.body['setup']), 'waiting waiting done waiting');
    // The zone itself cannot be an alias.
    assert.deepEqual(made.body['setup'].dns.todo.map(({ type }: { type: string }) => type).toSorted(), ['A', 'AAAA']);
  });

  test('the certificate is told as it is', async () => {
    const domain = await claim('sealed');
    const insert = (state: string, notAfter: string, lastError: string | null) =>
      stack.database.query(
        `insert into certificates (names, domain_id, state, challenge, not_after, last_error)
         values (array['sealed.${ZONE}'], $1, $2, 'http-01', now() + $3::interval, $4)
         on conflict (names) do update set state = excluded.state, not_after = excluded.not_after,
           last_error = excluded.last_error`,
        [domain['domain_id'], state, notAfter, lastError],
      );
    const certificate = async () => (await read(domain))['setup'].certificate as Body;
    assert.match((await certificate())['detail'], /once the name is proved/);
    await insert('active', '60 days', null);
    assert.match(
      `${(await certificate())['state']} ${(await certificate())['detail']}`,
      /^done There is a certificate until 20/,
    );
    await insert('active', '5 days', 'CAA records forbid it');
    assert.match(
      `${(await certificate())['state']} ${(await certificate())['detail']}`,
      /^problem .*CAA records forbid it/,
    );
    await insert('error', '-1 days', 'CAA records forbid it');
    assert.match((await certificate())['detail'], /cannot be had: CAA/);
    const off = await claim('bare', { tls_mode: 'off' });
    assert.equal(states(off['setup']), 'todo waiting done done');
  });
});
