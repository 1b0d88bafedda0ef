import assert from 'node:assert/strict';
import { after, before, beforeEach, suite, test } from 'node:test';
import { type DohFront, startDohFront } from '@tunnox/testing/doh-front';
import { needs } from '@tunnox/testing/needs';
import { type PowerDnsFixture, startPowerDns } from '@tunnox/testing/powerdns';
import { FakeRelay } from './fake-relay.ts';
import { type Answer, BASE_DOMAIN, type Body, TestStack } from './test-stack.ts';

const ZONE = 'customer.example';

suite('proofs of custom domains', { skip: needs('pdns_server') }, () => {
  let powerDns: PowerDnsFixture;
  let front: DohFront;
  let stack: TestStack;
  let relay: FakeRelay;

  before(async () => {
    powerDns = await startPowerDns();
    await powerDns.createZone(ZONE);
    front = await startDohFront(powerDns.dnsPort);
    stack = await TestStack.start({ DNS_RESOLVER_URL: front.url });
    relay = new FakeRelay(stack.url);
    const { body } = await stack.asOperator('POST', '/join-tokens', {});
    await relay.register({ join_token: body['join_token'] as string });
  });
  beforeEach(() => {
    front.setMode('serve');
    front.setBefore(null);
  });
  after(async () => {
    await stack.stop();
    await front.stop();
    await powerDns.stop();
  });

  /** A tenant with one client. */
  async function newTenant(name: string) {
    const { userId, token } = await stack.newUser(name);
    const clientId = await stack.newClient(token);
    return {
      ...{ userId, token, clientId },
      claim: async (domain: string): Promise<Body> => {
        const body = { client_id: clientId, target_port: 3000, domain };
        const answer = await stack.call('POST', '/domains', { token, body });
        assert.equal(answer.status, 201);
        return answer.body;
      },
      verify: (domain: Body): Promise<Answer> =>
        stack.call('POST', `/domains/${domain['domain_id']}/verify`, { token }),
      read: async (domain: Body): Promise<Body> =>
        (await stack.call('GET', `/domains/${domain['domain_id']}`, { token })).body,
      /** What its agent would serve. */
      agentNames: async (): Promise<string[]> => {
        const code = await stack.call('POST', `/clients/${clientId}/rotate-code`, { token });
        const session = await stack.call('POST', '//agent/v1/session', {
          body: { agent_version: 'test', protocol: 1, client_id: clientId, auth_code: code.body['auth_code'] },
        });
        const { body } = await stack.call('GET', '//agent/v1/config?since=0', { token: session.body['access_token'] });
        // No body: nothing ever changed for it.
        return ((body as Body | null)?.['bindings'] ?? []).map(
          (binding: { url: string }) => new URL(binding.url).hostname,
        );
      },
    };
  }

  const proof = (domain: Body, type: 'TXT' | 'CNAME') =>
    domain['proofs'].find((one: { type: string }) => one.type === type) as { name: string; value: string };

  /** Puts the records of these claims into the DNS, in place of what was there. */
  async function prove(type: 'TXT' | 'CNAME', ...domains: [Body, ...Body[]]): Promise<void> {
    const { name } = proof(domains[0], type);
    for (const other of ['TXT', 'CNAME'] as const) if (other !== type) await powerDns.setRecords(ZONE, name, other, []);
    await powerDns.setRecords(
      ZONE,
      name,
      type,
      domains.map((domain) => proof(domain, type).value),
    );
  }

  async function unprove(domain: Body): Promise<void> {
    for (const type of ['TXT', 'CNAME'] as const) await powerDns.setRecords(ZONE, proof(domain, type).name, type, []);
  }

  /** Time passes for a domain, and its next look is due. */
  async function age(domain: Body, column: 'created_at' | 'proof_missing_since', interval: string): Promise<void> {
    await stack.database.query(
      `update http_domain_mappings set ${column} = now() - $2::interval, proof_due_at = now() where id = $1`,
      [domain['domain_id'], interval],
    );
  }

  /** Nobody looks where the domains lead: other queries than those for proofs. */
  const seenAlready = () =>
    stack.database.query("update http_domain_mappings set setup_due_at = now() + interval '1 day'");

  const makeDue = (domain: Body) =>
    stack.database.query('update http_domain_mappings set proof_due_at = now() where id = $1', [domain['domain_id']]);

  /** Domains of other tests are not due for now, however long these have taken. */
  const postponeOthers = (userId: number) =>
    stack.database.query(
      `update http_domain_mappings set proof_due_at = now() + interval '1 hour' where user_id is distinct from $1`,
      [userId],
    );

  /** Seconds until the next look; null: none. */
  async function dueInS(domain: Body): Promise<number | null> {
    const { rows } = await stack.database.query<{ due: number | null }>(
      `select extract(epoch from proof_due_at - now())::float8 as due from http_domain_mappings where id = $1`,
      [domain['domain_id']],
    );
    return rows[0]?.due ?? null;
  }

  const resolves = async (host: string): Promise<boolean> =>
    (await stack.asOperator('GET', `/domains/lookup?host=${host}`)).status === 200;

  /** Binding to which relays bring visitors; null: none. */
  async function served(host: string): Promise<string | null> {
    const answer = await relay.lookup(host);
    return answer.found ? answer.binding.binding_id : null;
  }

  const audited = async (domain: Body): Promise<string[]> =>
    (
      await stack.database.query<{ entry: string }>(
        `select actor_type || ' ' || action as entry from audit_log
         where object_type = 'domain' and object_id = $1::text order by id`,
        [domain['domain_id']],
      )
    ).rows.map(({ entry }) => entry);

  const told = async (host: string): Promise<{ id: number; deleted: boolean; version: number }[]> =>
    (
      await stack.database.query(
        `select replace(binding_id, 'domain:', '')::int as id, deleted, version::int from outbox where endpoint = $1 order by outbox.id`,
        [host],
      )
    ).rows;

  for (const type of ['TXT', 'CNAME'] as const) {
    test(`POST /domains/{id}/verify proves by ${type}, makes the name a route and tells the agent`, async () => {
      const host = `by-${type.toLowerCase()}.${ZONE}`;
      const tenant = await newTenant(`prover-${type}`);
      const domain = await tenant.claim(host);
      assert.deepEqual(
        domain['proofs'].map((one: { type: string; name: string }) => [one.type, one.name]),
        [
          ['TXT', `_tunnox.${host}`],
          ['CNAME', `_tunnox.${host}`],
        ],
      );
      assert.match(proof(domain, 'TXT').value, /^tunnox-verify=[a-z2-7]{32}$/);
      assert.match(proof(domain, 'CNAME').value, new RegExp(`^[a-z2-7]{32}\\.verify\\.${BASE_DOMAIN}$`));
      assert.ok(domain['proof_due_at'] !== null);

      const tooEarly = await tenant.verify(domain);
      assert.deepEqual([tooEarly.status, tooEarly.body['verification_state']], [200, 'pending_verification']);
      assert.deepEqual(
        tooEarly.body['checks'].map((check: Body) => [
          check['type'],
          check['matches'],
          check['result'],
          check['found'],
        ]),
        [
          ['TXT', false, 'no_name', []],
          ['CNAME', false, 'no_name', []],
        ],
      );
      assert.match(tooEarly.body['checks'][0].detail, /NXDOMAIN/);
      assert.ok(tooEarly.body['proof_checked_at'] !== null);
      assert.equal(tooEarly.body['proof_missing_since'], null);
      assert.equal(await resolves(host), false);
      assert.deepEqual(await tenant.agentNames(), []);

      await prove(type, domain);
      const { status, body, headers } = await tenant.verify(domain);
      assert.deepEqual([status, body['verification_state'], body['status']], [200, 'verified', 'inactive']);
      assert.equal(headers.get('etag'), `"${body['version']}"`);
      assert.ok(body['version'] > domain['version'] && body['verified_at'] !== null);
      assert.deepEqual(body['delivery'], [{ client_id: tenant.clientId, state: 'offline' }]);
      const right = body['checks'].find((check: Body) => check['type'] === type);
      assert.deepEqual([right.matches, right.result, right.found], [true, 'matches', [proof(domain, type).value]]);
      assert.equal(await resolves(host), true);
      assert.deepEqual(await tenant.agentNames(), [host]);
      assert.deepEqual(await audited(domain), ['user domain.create', 'user domain.verify']);
      const again = await tenant.verify(domain);
      assert.deepEqual([again.status, again.body['version'], again.body['delivery']], [200, body['version'], []]);
    });
  }

  test('POST /domains/{id}/verify takes the bare token, among other records and behind an alias', async () => {
    const tenant = await newTenant('bare-prover');
    const [bare, delegated] = [await tenant.claim(`bare.${ZONE}`), await tenant.claim(`delegated.${ZONE}`)];
    const token = (domain: Body) => proof(domain, 'TXT').value.replace('tunnox-verify=', '');
    const others = Array.from({ length: 30 }, (_, i) => `${i} ${'other '.repeat(20)}`);
    await powerDns.setRecords(ZONE, `_tunnox.bare.${ZONE}`, 'TXT', [...others, token(bare)]);
    assert.equal((await tenant.verify(bare)).body['verification_state'], 'verified');
    await powerDns.setRecords(ZONE, `_tunnox.delegated.${ZONE}`, 'CNAME', [`proofs.${ZONE}`]);
    await powerDns.setRecords(ZONE, `proofs.${ZONE}`, 'TXT', [token(delegated)]);
    assert.equal((await tenant.verify(delegated)).body['verification_state'], 'verified');
  });

  test('POST /domains/{id}/verify says what is wrong', async () => {
    const tenant = await newTenant('misprover');
    const domain = await tenant.claim(`wrong.${ZONE}`);
    const name = `_tunnox.wrong.${ZONE}`;
    const results = async (): Promise<string[]> =>
      (await tenant.verify(domain)).body['checks'].map((check: Body) => check['result']);
    await powerDns.setRecords(ZONE, name, 'TXT', ['tunnox-verify=something-else']);
    const { body } = await tenant.verify(domain);
    assert.deepEqual(
      body['checks'].map((check: Body) => [check['result'], check['found']]),
      [
        ['other_value', ['tunnox-verify=something-else']],
        ['no_record', []],
      ],
    );
    assert.match(body['checks'][0].detail, /another value/);
    await powerDns.setRecords(ZONE, name, 'TXT', []);
    await powerDns.setRecords(ZONE, name, 'CNAME', [`elsewhere.${BASE_DOMAIN}`]);
    assert.deepEqual(await results(), ['no_record', 'other_value']);
    await powerDns.setRecords(ZONE, name, 'CNAME', []);
    await powerDns.setRecords(ZONE, name, 'LUA', ['TXT "this is no Lua("']);
    const broken = await tenant.verify(domain);
    assert.deepEqual([broken.status, broken.body['checks'][0].result], [200, 'failed']);
    assert.match(broken.body['checks'][0].detail, /SERVFAIL/);
    await powerDns.setRecords(ZONE, name, 'LUA', []);
    assert.equal((await tenant.read(domain))['verification_state'], 'pending_verification');
  });

  test('POST /domains/{id}/verify is 503 with Retry-After while the resolver is away', async () => {
    const tenant = await newTenant('unlucky-prover');
    const domain = await tenant.claim(`away.${ZONE}`);
    await prove('TXT', domain);
    for (const mode of ['error', 'garbage', 'cut'] as const) {
      front.setMode(mode);
      const { status, body, headers } = await tenant.verify(domain);
      assert.deepEqual([status, body['code']], [503, 'unavailable'], mode);
      assert.match(body['detail'], /resolver/);
      assert.equal(headers.get('retry-after'), '30');
    }
    front.setMode('serve');
    assert.equal((await tenant.read(domain))['proof_checked_at'], null);
    assert.equal((await tenant.verify(domain)).body['verification_state'], 'verified');
  });

  test("POST /domains/{id}/verify needs a proof that is the tenant's own", async () => {
    const [owner, thief] = [await newTenant('rightful'), await newTenant('wrongful')];
    const host = `contested.${ZONE}`;
    const [his, hers] = [await thief.claim(host), await owner.claim(host)];
    assert.notEqual(proof(his, 'TXT').value, proof(hers, 'TXT').value);
    await prove('TXT', hers);
    const stolen = await thief.verify(his);
    assert.deepEqual([stolen.status, stolen.body['verification_state']], [200, 'pending_verification']);
    assert.equal(stolen.body['checks'][0].result, 'other_value');
    assert.equal((await thief.verify(hers)).status, 404);
    assert.equal((await owner.verify(hers)).body['verification_state'], 'verified');
    // Now both stand there: who has it keeps it.
    await prove('TXT', hers, his);
    const late = await thief.verify(his);
    assert.deepEqual([late.status, late.body['code']], [409, 'subdomain_taken']);
    assert.match(late.body['detail'], /remove the other record/);
    assert.equal((await owner.read(hers))['verification_state'], 'verified');
  });

  test('a tenant that claims a name again has the same proof to give, and it still proves', async () => {
    const tenant = await newTenant('returner');
    const domain = await tenant.claim(`returning.${ZONE}`);
    await prove('CNAME', domain);
    assert.equal((await tenant.verify(domain)).body['verification_state'], 'verified');
    const path = `/domains/${domain['domain_id']}`;
    assert.equal((await stack.call('DELETE', path, { token: tenant.token })).status, 204);
    // No quarantine: the DNS says whose it is.
    const other = await newTenant('successor');
    await other.claim(`returning.${ZONE}`);
    const again = await tenant.claim(`returning.${ZONE}`);
    assert.deepEqual(again['proofs'], domain['proofs']);
    assert.equal(again['verification_state'], 'pending_verification');
    assert.equal((await tenant.verify(again)).body['verification_state'], 'verified');
  });

  test('of two proofs at the same moment one wins', async () => {
    const tenants = await Promise.all(Array.from({ length: 4 }, (_, i) => newTenant(`proof-racer-${i}`)));
    for (let round = 0; round < 4; round += 1) {
      const host = `race-${round}.${ZONE}`;
      const domains = await Promise.all(tenants.map((tenant) => tenant.claim(host)));
      await prove('TXT', ...(domains as [Body, ...Body[]]));
      const answers = await Promise.all(tenants.map((tenant, i) => tenant.verify(domains[i] ?? assert.fail())));
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409]);
      const { rows } = await stack.database.query(
        `select (select count(*)::int from http_domain_mappings where full_domain = $1 and verification_state = 'verified') as holders,
           (select count(*)::int from outbox where endpoint = $1) as told,
           (select count(*)::int from audit_log where action = 'domain.verify' and before->>'full_domain' = $1) as audited`,
        [host],
      );
      assert.deepEqual(rows, [{ holders: 1, told: 1, audited: 1 }]);
    }
  });

  test('a holder whose proof is gone loses the name to whoever proves it, at the same moment', async () => {
    const [before, next] = [await newTenant('former-owner'), await newTenant('new-owner')];
    const host = `sold.${ZONE}`;
    const old = await before.claim(host);
    await prove('TXT', old);
    await before.verify(old);
    assert.equal(await served(host), `domain:${old['domain_id']}`);
    const claim = await next.claim(host);
    await prove('CNAME', claim);
    const { status, body } = await next.verify(claim);
    assert.deepEqual([status, body['verification_state']], [200, 'verified']);
    assert.deepEqual(
      new Set(body['delivery'].map((one: Body) => one['client_id'])),
      new Set([before.clientId, next.clientId]),
    );
    const lost = await before.read(old);
    assert.deepEqual([lost['verification_state'], lost['status']], ['pending_verification', 'pending_verification']);
    assert.ok(lost['proof_missing_since'] !== null && lost['version'] > old['version']);
    assert.deepEqual(await before.agentNames(), []);
    assert.deepEqual(await next.agentNames(), [host]);
    const lookup = await stack.asOperator('GET', `/domains/lookup?host=${host}`);
    assert.equal(lookup.body['binding_id'], `domain:${claim['domain_id']}`);
    assert.equal(await served(host), `domain:${claim['domain_id']}`);
    const changes = await told(host);
    assert.deepEqual(
      changes.map(({ id, deleted }) => [id, deleted]),
      [
        [old['domain_id'], false],
        [old['domain_id'], true],
        [claim['domain_id'], false],
      ],
    );
    const versions = changes.map(({ version }) => version);
    assert.deepEqual(
      versions,
      [...new Set(versions)].sort((a, b) => a - b),
    );
    assert.deepEqual(await audited(old), ['user domain.create', 'user domain.verify', 'system domain.unverify']);
    // The former owner presses verify, and does not get it back.
    const pressed = await before.verify(old);
    assert.deepEqual([pressed.status, pressed.body['verification_state']], [200, 'pending_verification']);
  });

  test('two tenants that take a name from a third at the same moment: one does', async () => {
    const [third, ...rivals] = await Promise.all(['third', 'rival-1', 'rival-2'].map((name) => newTenant(name)));
    for (let round = 0; round < 4; round += 1) {
      const host = `takeover-${round}.${ZONE}`;
      const held = (await third?.claim(host)) ?? assert.fail();
      await prove('TXT', held);
      await third?.verify(held);
      const claims = await Promise.all(rivals.map((rival) => rival.claim(host)));
      await prove('TXT', ...(claims as [Body, ...Body[]]));
      const answers = await Promise.all(rivals.map((rival, i) => rival.verify(claims[i] ?? assert.fail())));
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409]);
      const changes = await told(host);
      assert.deepEqual(
        changes.map(({ deleted }) => deleted),
        [false, true, false],
      );
    }
  });

  test('a claim that is deleted while it is proved costs nobody the name', async () => {
    const [holder, rival] = [await newTenant('undisturbed'), await newTenant('hesitant')];
    const host = `hesitant.${ZONE}`;
    const held = await holder.claim(host);
    await prove('TXT', held);
    await holder.verify(held);
    const claim = await rival.claim(host);
    await prove('TXT', claim);
    let deleted: Promise<Answer> | undefined;
    front.setBefore(async () => {
      deleted ??= stack.call('DELETE', `/domains/${claim['domain_id']}`, { token: rival.token });
      await deleted;
    });
    const answer = await rival.verify(claim);
    assert.equal(answer.status, 404);
    assert.equal((await holder.read(held))['verification_state'], 'verified');
  });

  test('the sweep proves what waits, so that nobody has to press verify', async () => {
    const tenant = await newTenant('patient');
    const domain = await tenant.claim(`patient.${ZONE}`);
    await stack.sweep();
    const waiting = await tenant.read(domain);
    assert.equal(waiting['verification_state'], 'pending_verification');
    assert.ok(waiting['proof_checked_at'] !== null);
    const soon = (await dueInS(domain)) ?? assert.fail();
    assert.ok(soon > 50 && soon <= 60, `looks again in ${soon} s`);
    await prove('TXT', domain);
    await stack.sweep();
    assert.equal((await tenant.read(domain))['verification_state'], 'pending_verification', 'its time has not come');
    await makeDue(domain);
    await stack.sweep();
    assert.equal((await tenant.read(domain))['verification_state'], 'verified');
    assert.equal(await resolves(`patient.${ZONE}`), true);
    assert.deepEqual(await audited(domain), ['user domain.create', 'system domain.verify']);
    const daily = (await dueInS(domain)) ?? assert.fail();
    assert.ok(daily > 19 * 3600 && daily <= 24 * 3600, `looks again in ${daily} s`);
  });

  test('the sweep looks ever more rarely for what waits, and after a week no more', async () => {
    const tenant = await newTenant('forgetful');
    const domain = await tenant.claim(`forgotten.${ZONE}`);
    for (const [interval, from, to] of [
      ['1 hour', 850, 910],
      ['8 hours', 7100, 7210],
      ['5 days', 21_500, 21_600],
    ] as const) {
      await age(domain, 'created_at', interval);
      await stack.sweep();
      const due = (await dueInS(domain)) ?? assert.fail();
      assert.ok(due >= from && due <= to, `${interval}: looks again in ${due} s`);
    }
    await age(domain, 'created_at', '7 days');
    await stack.sweep();
    assert.equal(await dueInS(domain), null);
    const given = await tenant.read(domain);
    assert.deepEqual([given['verification_state'], given['proof_due_at']], ['pending_verification', null]);
    await prove('TXT', domain);
    await stack.sweep();
    assert.equal((await tenant.read(domain))['verification_state'], 'pending_verification');
    // Pressing verify still works.
    assert.equal((await tenant.verify(domain)).body['verification_state'], 'verified');
  });

  test('a proof that vanishes shows at once, and costs the name after 72 hours', async () => {
    const tenant = await newTenant('dangling');
    const host = `dangling.${ZONE}`;
    const domain = await tenant.claim(host);
    await prove('TXT', domain);
    await tenant.verify(domain);
    assert.equal(await served(host), `domain:${domain['domain_id']}`);
    await unprove(domain);
    await makeDue(domain);
    await stack.sweep();
    const missing = await tenant.read(domain);
    assert.equal(missing['verification_state'], 'verified');
    assert.ok(missing['proof_missing_since'] !== null);
    const hourly = (await dueInS(domain)) ?? assert.fail();
    assert.ok(hourly > 3500 && hourly <= 3600, `looks again in ${hourly} s`);
    await age(domain, 'proof_missing_since', '71 hours');
    await stack.sweep();
    assert.equal((await tenant.read(domain))['verification_state'], 'verified');
    // Back: as if nothing had been.
    await prove('CNAME', domain);
    await makeDue(domain);
    await stack.sweep();
    assert.equal((await tenant.read(domain))['proof_missing_since'], null);

    await unprove(domain);
    await makeDue(domain);
    await stack.sweep();
    await age(domain, 'proof_missing_since', '73 hours');
    await stack.sweep();
    const lost = await tenant.read(domain);
    assert.deepEqual([lost['verification_state'], lost['status']], ['pending_verification', 'pending_verification']);
    assert.equal(await resolves(host), false);
    assert.equal(await served(host), null);
    assert.deepEqual(await tenant.agentNames(), []);
    assert.deepEqual(
      (await told(host)).map(({ deleted }) => deleted),
      [false, true],
    );
    assert.deepEqual(await audited(domain), ['user domain.create', 'user domain.verify', 'system domain.unverify']);
    // It waits as any claim: when the proof is back, so is the name.
    await prove('TXT', domain);
    await makeDue(domain);
    await stack.sweep();
    const back = await tenant.read(domain);
    assert.deepEqual([back['verification_state'], back['proof_missing_since']], ['verified', null]);
    assert.equal(await resolves(host), true);
  });

  test('routes below a domain end with its proof, and with the domain itself', async () => {
    const tenant = await newTenant('router');
    const host = `routed.${ZONE}`;
    const [domain, inner] = [await tenant.claim(host), await tenant.claim(`inner.${host}`)];
    for (const one of [domain, inner]) {
      await prove('TXT', one);
      assert.equal((await tenant.verify(one)).body['verification_state'], 'verified');
    }
    const route = async (endpoint: string): Promise<number> =>
      (
        await stack.call('POST', '/routes', {
          token: tenant.token,
          body: { endpoint, client_id: tenant.clientId, target_port: 1, ttl_seconds: 3600 },
        })
      ).status;
    assert.equal(await route(`api.${host}`), 201);
    assert.equal(await route(`api.inner.${host}`), 201);
    assert.equal(await route(`notrouted.${ZONE}`), 422);
    const endings = async (): Promise<(boolean | string)[]> => [
      await resolves(`api.${host}`),
      await resolves(`api.inner.${host}`),
    ];
    assert.deepEqual(await endings(), [true, true]);
    await unprove(domain);
    await age(domain, 'proof_missing_since', '73 hours');
    await stack.sweep();
    assert.equal((await tenant.read(domain))['verification_state'], 'pending_verification');
    assert.deepEqual(await endings(), [false, true], 'what another proof covers stays');
    const remove = await stack.call('DELETE', `/domains/${inner['domain_id']}`, { token: tenant.token });
    assert.equal(remove.status, 204);
    assert.deepEqual(await endings(), [false, false]);
    assert.equal(await route(`api.${host}`), 422);
  });

  test('a resolver that is away, and name servers that fail, cost nobody a name', async () => {
    const tenant = await newTenant('outage');
    const domain = await tenant.claim(`outage.${ZONE}`);
    await prove('TXT', domain);
    await tenant.verify(domain);
    await age(domain, 'proof_missing_since', '100 hours');
    front.setMode('error');
    await stack.sweep();
    const away = (await dueInS(domain)) ?? assert.fail();
    assert.ok(away > 290 && away <= 300, `looks again in ${away} s`);
    front.setMode('serve');
    await unprove(domain);
    await powerDns.setRecords(ZONE, `_tunnox.outage.${ZONE}`, 'LUA', ['TXT "this is no Lua("']);
    await age(domain, 'proof_missing_since', '100 hours');
    await stack.sweep();
    const unclear = await tenant.read(domain);
    assert.equal(unclear['verification_state'], 'verified');
    assert.ok(unclear['proof_missing_since'] !== null);
    await powerDns.setRecords(ZONE, `_tunnox.outage.${ZONE}`, 'LUA', []);
    await makeDue(domain);
    await stack.sweep();
    assert.equal((await tenant.read(domain))['verification_state'], 'pending_verification');
  });

  test('a sweep goes through hundreds, and stops early at a resolver that is away', async () => {
    const tenant = await newTenant('many');
    await stack.asOperator('POST', `/users/${tenant.userId}/quota`, { max_mappings: 1000 });
    const first = await tenant.claim(`many-0.${ZONE}`);
    await stack.database.query(
      `insert into http_domain_mappings (user_id, full_domain, verification_state, proof_token, target_host, target_port)
       select user_id, 'many-' || n || '.${ZONE}', verification_state, proof_token, target_host, target_port
       from http_domain_mappings, generate_series(1, 149) n where id = $1`,
      [first['domain_id']],
    );
    await seenAlready();
    const due = async (): Promise<number> =>
      (
        await stack.database.query<{ due: number }>(
          `select count(*)::int as due from http_domain_mappings where user_id = $1 and proof_due_at <= now()`,
          [tenant.userId],
        )
      ).rows[0]?.due ?? 0;
    assert.equal(await due(), 150);
    await postponeOthers(tenant.userId);
    front.setMode('error');
    let before = front.queries;
    await stack.sweep();
    assert.ok(front.queries - before < 20, `${front.queries - before} queries to a resolver that is away`);
    front.setMode('serve');
    await stack.database.query('update http_domain_mappings set proof_due_at = now() where user_id = $1', [
      tenant.userId,
    ]);
    before = front.queries;
    await Promise.all([stack.sweep(), stack.sweep()]);
    assert.equal(await due(), 0);
    assert.equal(front.queries - before, 300, 'two sweeps share the work');
  });

  test('names that operators vouch for are never looked for', async () => {
    const tenant = await newTenant('vouched');
    const body = { domain: `vouched.${ZONE}`, client_id: tenant.clientId, target_port: 80 };
    const made = await stack.asOperator('POST', '/domains', body);
    assert.deepEqual([made.body['proofs'], made.body['proof_due_at']], [[], null]);
    await stack.database.query(`update http_domain_mappings set proof_due_at = now() where id = $1`, [
      made.body['domain_id'],
    ]);
    await seenAlready();
    const before = front.queries;
    await stack.sweep();
    assert.equal(front.queries, before);
    const verified = await tenant.verify(made.body);
    assert.deepEqual(
      [verified.status, verified.body['verification_state'], verified.body['checks'], verified.body['delivery']],
      [200, 'verified', [], []],
    );
    // Whoever proves it does not get it: an operator has said whose it is.
    const rival = await newTenant('unvouched');
    const claim = await rival.claim(`vouched.${ZONE}`);
    await prove('TXT', claim);
    assert.equal((await rival.verify(claim)).body['code'], 'subdomain_taken');
  });

  test('POST /domains/{id}/verify is limited for each tenant, and nobody else waits', async () => {
    const [eager, calm] = [await newTenant('eager'), await newTenant('calm')];
    const [mine, theirs] = [await eager.claim(`eager.${ZONE}`), await calm.claim(`calm.${ZONE}`)];
    const answers = await Promise.all(Array.from({ length: 40 }, () => eager.verify(mine)));
    const limited = answers.filter(({ status }) => status === 429);
    assert.ok(limited.length >= 10 && limited.length <= 20, `${limited.length} were refused`);
    for (const { body, headers } of limited) {
      assert.equal(body['code'], 'rate_limited');
      assert.ok(Number(headers.get('retry-after')) >= 1);
    }
    assert.equal((await calm.verify(theirs)).status, 200);
  });

  test('POST /domains/{id}/verify asks nobody about what another tenant or nobody has', async () => {
    const [tenant, stranger] = [await newTenant('looked-at'), await newTenant('onlooker')];
    const domain = await tenant.claim(`looked-at.${ZONE}`);
    const before = front.queries;
    assert.equal((await stranger.verify(domain)).status, 404);
    assert.equal((await stranger.verify({ domain_id: 4_000_000 })).status, 404);
    assert.equal((await stack.call('POST', `/domains/${domain['domain_id']}/verify`)).status, 401);
    assert.equal(front.queries, before);
  });
});
