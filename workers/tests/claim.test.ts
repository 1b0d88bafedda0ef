import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type AgentSession, agentSessionSchema } from '@tunnox/domain/agent-api';
import type { Client, ClaimedClient } from '@tunnox/domain/api/clients';
import type { Domain } from '@tunnox/domain/api/domains';
import { type FakeRelay, instanceId } from './fake-relay.ts';
import { LiveHarness, type Tenant } from './live-harness.ts';

interface Anonymous {
  clientId: number;
  authCode: string;
  token: string;
  domain: Domain;
}

interface Problem {
  status: number;
  code: string;
  detail: string;
  [member: string]: unknown;
}

describe('claim', () => {
  let live: LiveHarness;
  let relay: FakeRelay;
  let tenant: Tenant;
  before(async () => {
    live = await LiveHarness.start();
    relay = await live.relay();
    tenant = await live.tenant();
  });
  after(() => live?.stop());

  /** An anonymous client with a random name. */
  async function anonymous(): Promise<Anonymous> {
    const session = await live.session(null);
    const domain = await live.api<Domain>('POST', '/domains', { target_port: 3000 }, session.access_token);
    const { client_id: clientId, auth_code: authCode = '', access_token: token } = session;
    return { clientId, authCode, token, domain };
  }

  function tryClaim(
    { clientId, authCode }: Pick<Anonymous, 'clientId' | 'authCode'>,
    more: object = {},
    by = tenant.apiKey,
  ) {
    return live.tryApi('POST', '/clients/claim', { anonymous_client_id: clientId, auth_code: authCode, ...more }, by);
  }

  async function claim(client: Anonymous, more: object = {}, by = tenant.apiKey): Promise<ClaimedClient> {
    const response = await tryClaim(client, more, by);
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as ClaimedClient;
  }

  async function problemOf(response: Response | Promise<Response>): Promise<Problem> {
    const answered = await response;
    return { ...((await answered.json()) as Problem), status: answered.status };
  }

  const open = (clientId: number, authCode: string) => live.trySession({ client_id: clientId, auth_code: authCode });

  async function opened(clientId: number, authCode: string): Promise<AgentSession> {
    const response = await open(clientId, authCode);
    assert.equal(response.status, 200, await response.clone().text());
    return agentSessionSchema.parse(await response.json());
  }

  const rowOf = async (clientId: number) =>
    (await live.sql<Record<string, unknown>>('select * from clients where client_id = $1', clientId))[0] ?? {};

  test('moves the names to the new client and its user, without a warning page or an end', async () => {
    const client = await anonymous();
    const answer = await claim(client, { new_client_name: 'laptop' });
    assert.ok(answer.new_client_id >= 600_000_000);
    assert.match(answer.new_auth_code, /^[\w-]{32}$/);
    assert.match(answer.message, new RegExp(`${client.clientId}.*${answer.new_client_id}`, 's'));

    const made = await live.api<Client>('GET', `/clients/${answer.new_client_id}`, undefined, tenant.apiKey);
    assert.deepEqual(
      [made.client_name, made.client_type, made.user_id, made.status, made.expires_at],
      ['laptop', 'managed', tenant.userId, 'offline', null],
    );
    const domain = await live.api<Domain>('GET', `/domains/${client.domain.domain_id}`, undefined, tenant.apiKey);
    assert.deepEqual(
      [domain.full_domain, domain.user_id, domain.client_id, domain.expires_at],
      [client.domain.full_domain, tenant.userId, answer.new_client_id, null],
    );
    assert.ok(domain.version > client.domain.version);
    const found = await relay.lookup(domain.full_domain);
    assert.ok(found.found);
    assert.deepEqual(
      [found.binding.warning_page, found.binding.enabled, found.binding.user_id, found.binding.version],
      [false, true, tenant.userId, domain.version],
    );
    assert.deepEqual(
      found.upstreams.map(({ client_id }) => client_id),
      [answer.new_client_id],
    );

    const old = await live.api<Client>('GET', `/clients/${client.clientId}`);
    assert.equal(old.status, 'claimed');
    const row = await rowOf(client.clientId);
    assert.deepEqual(
      [row['claimed_by'], row['upgraded_to'], row['credential_generation'], row['row_version']].map(Number),
      [tenant.userId, answer.new_client_id, 2, 2],
    );
    assert.ok(!JSON.stringify(row).includes(answer.new_auth_code), 'the new code is stored encrypted only');
    assert.ok(!JSON.stringify(await rowOf(answer.new_client_id)).includes(answer.new_auth_code));
  });

  test('is written to the audit log of both clients, without a code', async () => {
    const client = await anonymous();
    const { new_client_id, new_auth_code } = await claim(client);
    const rows = await live.sql<Record<string, unknown>>(
      'select action, object_id, actor_type, actor_id::int, user_id::int, before, after from audit_log where object_id in ($1, $2) order by id',
      String(client.clientId),
      String(new_client_id),
    );
    assert.deepEqual(
      rows.map(({ action, object_id }) => [action, Number(object_id)]),
      [
        ['client.create', client.clientId],
        ['client.claim', client.clientId],
        ['client.create', new_client_id],
      ],
    );
    assert.deepEqual(rows[1]?.['after'], {
      state: 'claimed',
      new_client_id,
      moved: [`domain:${client.domain.domain_id}`],
    });
    assert.ok(rows.slice(1).every((row) => row['actor_id'] === tenant.userId && row['user_id'] === tenant.userId));
    assert.ok(!JSON.stringify(rows).includes(new_auth_code) && !JSON.stringify(rows).includes(client.authCode));
  });

  test('tells the agent, wherever it is, and voids its tickets at every relay', async () => {
    const client = await anonymous();
    const other = await live.relay();
    const agent = { client_id: client.clientId, instance_id: instanceId(), connect_seq: 1, generation: 1 };
    await relay.attach({ ...agent, mode: 'attach' });
    await claim(client);
    const order = await relay.receive('close_client', (message) => message.client_id === client.clientId);
    assert.equal(order.code, 'claimed');
    for (const each of [relay, other]) {
      const voided = await each.receive('void_tickets', (message) => message.client_id === client.clientId);
      assert.deepEqual([voided.below_generation, voided.code], [2, 'claimed']);
    }
    const [again] = await other.attach({ ...agent, connect_seq: 2, mode: 'attach' });
    assert.deepEqual([again?.outcome, again?.outcome === 'refused' && again.code], ['refused', 'claimed']);
    assert.equal((await problemOf(live.tryApi('GET', '/me', undefined, client.token))).code, 'client_claimed');
    const tried = await live.tryApi('POST', '/domains', { target_port: 1 }, client.token);
    assert.equal((await problemOf(tried)).code, 'client_claimed');
  });

  test('refuses an unknown client and a wrong code alike, and changes nothing', async () => {
    const client = await anonymous();
    const managed = await live.session(tenant);
    const answers = await Promise.all([
      problemOf(tryClaim({ ...client, authCode: 'x'.repeat(32) })),
      problemOf(tryClaim({ clientId: 299_999_998, authCode: client.authCode })),
      problemOf(tryClaim({ clientId: managed.client_id, authCode: managed.auth_code ?? '' })),
    ]);
    const facts = answers.map(({ request_id: _id, ...facts }) => facts);
    assert.deepEqual([facts[0]?.status, facts[0]?.code], [404, 'not_found']);
    assert.deepEqual(facts[1], facts[0]);
    assert.deepEqual(facts[2], facts[0]);
    assert.equal((await rowOf(client.clientId))['lifecycle'], 'active');
    await opened(client.clientId, client.authCode);
  });

  test('limits wrong codes by user, and nobody else', async () => {
    const guesser = await live.tenant();
    const client = await anonymous();
    const answers: number[] = [];
    for (let n = 0; n < 11; n += 1) {
      answers.push((await tryClaim({ ...client, authCode: `wrong-${n}` }, {}, guesser.apiKey)).status);
    }
    assert.deepEqual([...new Set(answers)], [404, 429]);
    assert.equal(answers.at(-1), 429);
    const right = await tryClaim(client, {}, guesser.apiKey);
    assert.equal(right.status, 429);
    assert.match(right.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
    await claim(client);
  });

  test('an ended anonymous client cannot be claimed', async () => {
    const client = await anonymous();
    await live.sql("update clients set expires_at = now() - interval '1 second' where client_id = $1", client.clientId);
    assert.equal((await problemOf(tryClaim(client))).code, 'not_found');
  });

  test('two claims at once: one wins, the other hears that it is claimed', async () => {
    const client = await anonymous();
    const rival = await live.tenant();
    const answers = await Promise.all(
      [tenant, rival, tenant, rival].map(async ({ apiKey }) => (await tryClaim(client, {}, apiKey)).json()),
    );
    const won = answers.filter((answer) => 'new_client_id' in (answer as object) && !('code' in (answer as object)));
    assert.equal(won.length, 1);
    const { new_client_id } = won[0] as ClaimedClient;
    for (const answer of answers.filter((each) => each !== won[0]) as Problem[]) {
      assert.deepEqual([answer.code, answer['new_client_id']], ['client_claimed', new_client_id]);
    }
    const [{ count } = { count: 0 }] = await live.sql<{ count: number }>(
      `select count(*)::int as count from audit_log where action = 'client.claim' and object_id = $1`,
      String(client.clientId),
    );
    assert.equal(count, 1);
    const again = await problemOf(tryClaim(client));
    assert.deepEqual([again.status, again.code], [403, 'client_claimed']);
  });

  test('is carried out once under an Idempotency-Key', async () => {
    const client = await anonymous();
    const post = () =>
      fetch(`${live.plane.apiUrl}/api/v1/clients/claim`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${tenant.apiKey}`,
          'content-type': 'application/json',
          'idempotency-key': `claim-${client.clientId}`,
        },
        body: JSON.stringify({ anonymous_client_id: client.clientId, auth_code: client.authCode }),
      });
    const first = await post();
    const again = await post();
    assert.equal(first.status, 200);
    assert.equal(again.headers.get('idempotency-replayed'), 'true');
    assert.deepEqual(await again.json(), await first.json());
  });

  test('is within the quota of clients, and of mappings and domains together, or changes nothing', async () => {
    const poor = await live.tenant();
    const client = await anonymous();
    const second = await live.api<Domain>('POST', '/domains', { target_port: 3001 }, client.token).catch(() => null);
    const moving = second === null ? 1 : 2;
    await live.api('POST', `/users/${poor.userId}/quota`, { max_clients: 0 });
    const clients = await problemOf(tryClaim(client, {}, poor.apiKey));
    assert.deepEqual(
      [clients.status, clients.code, clients['limit'], clients['current']],
      [403, 'quota_exceeded', 0, 0],
    );
    await live.api('POST', `/users/${poor.userId}/quota`, { max_clients: 1, max_mappings: moving - 1 });
    const mappings = await problemOf(tryClaim(client, {}, poor.apiKey));
    assert.deepEqual([mappings.code, mappings['limit'], mappings['current']], ['quota_exceeded', moving - 1, 0]);
    const row = await rowOf(client.clientId);
    assert.deepEqual([row['lifecycle'], row['handover_encrypted'], Number(row['row_version'])], ['active', null, 1]);
    await opened(client.clientId, client.authCode);
    await live.api('POST', `/users/${poor.userId}/quota`, { max_clients: 1, max_mappings: moving });
    await claim(client, {}, poor.apiKey);
  });

  test('the last place of a quota goes to one of several clients that are claimed at once', async () => {
    const poor = await live.tenant();
    await live.api('POST', `/users/${poor.userId}/quota`, { max_clients: 2 });
    const candidates = await Promise.all([anonymous(), anonymous(), anonymous(), anonymous()]);
    const answers = await Promise.all(candidates.map((client) => tryClaim(client, {}, poor.apiKey)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 403, 403]);
  });

  test('operators claim for a user that they name, and must name one', async () => {
    const client = await anonymous();
    const { operatorKey } = live.plane;
    assert.equal((await problemOf(tryClaim(client, {}, operatorKey))).status, 422);
    assert.equal((await problemOf(tryClaim(client, { user_id: 1 }, operatorKey))).code, 'not_found');
    const foreign = await live.tenant();
    assert.equal((await problemOf(tryClaim(client, { user_id: foreign.userId }))).code, 'not_found');
    const { new_client_id } = await claim(client, { user_id: foreign.userId }, operatorKey);
    const made = await live.api<Client>('GET', `/clients/${new_client_id}`, undefined, foreign.apiKey);
    assert.equal(made.user_id, foreign.userId);
    assert.equal(made.client_name, 'anonymous');
    const agent = await opened(new_client_id, (await opened(client.clientId, client.authCode)).auth_code ?? '');
    const byAgent = await problemOf(tryClaim(await anonymous(), {}, agent.access_token));
    assert.deepEqual([byAgent.status, byAgent.code], [403, 'forbidden']);
  });

  test('a team gets the client with its names, if the caller may write there', async () => {
    const client = await anonymous();
    const member = await live.tenant();
    const [team] = await live.sql<{ id: number }>(
      `insert into namespaces (user_id, name) values ($1, 'team') returning namespace_id::int as id`,
      tenant.userId,
    );
    const id = team?.id ?? 0;
    await live.sql(
      `insert into memberships (namespace_id, user_id, role) values ($1, $2, 'owner'), ($1, $3, 'viewer')`,
      id,
      tenant.userId,
      member.userId,
    );
    const asViewer = await problemOf(tryClaim(client, { namespace_id: id }, member.apiKey));
    assert.equal(asViewer.code, 'forbidden');
    await live.sql(`update memberships set role = 'member' where user_id = $1`, member.userId);
    const { new_client_id } = await claim(client, { namespace_id: id }, member.apiKey);
    const made = await live.api<Client>('GET', `/clients/${new_client_id}`, undefined, tenant.apiKey);
    assert.deepEqual([made.user_id, made.namespace_id], [tenant.userId, id]);
    const domain = await live.api<Domain>('GET', `/domains/${client.domain.domain_id}`, undefined, member.apiKey);
    assert.deepEqual([domain.user_id, domain.namespace_id], [tenant.userId, id]);
  });

  test('a suspended client cannot be claimed out of its suspension', async () => {
    const client = await anonymous();
    const suspension = { suspended: true, suspended_reason: 'Phishing' };
    await live.api('PUT', `/clients/${client.clientId}`, suspension);
    const refused = await problemOf(tryClaim(client));
    assert.deepEqual([refused.status, refused.code], [403, 'client_disabled']);
    assert.match(refused.detail, /Phishing/);
    await live.api('PUT', `/clients/${client.clientId}`, { suspended: false });
    await claim(client);
  });

  test('what a client was given a shorter time for keeps it', async () => {
    const client = await anonymous();
    await live.sql(
      `update http_domain_mappings set expires_at = now() + interval '1 hour' where id = $1`,
      client.domain.domain_id,
    );
    await claim(client);
    const domain = await live.api<Domain>('GET', `/domains/${client.domain.domain_id}`, undefined, tenant.apiKey);
    assert.ok(domain.expires_at !== null);
  });

  describe('handover', () => {
    test('the old code opens a session of the new client, again and again until the new code was used', async () => {
      const client = await anonymous();
      const { new_client_id, new_auth_code } = await claim(client);
      for (let time = 0; time < 2; time += 1) {
        // The first answer may have been lost.
        const session = await opened(client.clientId, client.authCode);
        assert.deepEqual(
          [session.client_id, session.auth_code, session.client_type, session.user_id],
          [new_client_id, new_auth_code, 'managed', tenant.userId],
        );
        assert.deepEqual(
          session.config.bindings.map(({ binding_id }) => binding_id),
          [`domain:${client.domain.domain_id}`],
        );
        const me = await live.api<{ client_id: number }>('GET', '/me', undefined, session.access_token);
        assert.equal(me.client_id, new_client_id);
      }
      assert.equal((await open(client.clientId, 'x'.repeat(32))).status, 401);
      const own = await opened(new_client_id, new_auth_code);
      assert.equal(own.auth_code, undefined);
      const over = await problemOf(open(client.clientId, client.authCode));
      assert.deepEqual([over.status, over.code, over['new_client_id']], [403, 'client_claimed', new_client_id]);
      assert.match(over.detail, /rotate-code/);
      assert.equal((await rowOf(client.clientId))['handover_encrypted'], null);
    });

    test('the agent attaches as the new client, and its name answers there', async () => {
      const client = await anonymous();
      await claim(client);
      const session = await opened(client.clientId, client.authCode);
      const agent = { client_id: session.client_id, instance_id: instanceId(), connect_seq: 1, generation: 1 };
      const [result] = await relay.attach({ ...agent, mode: 'attach' });
      assert.equal(result?.outcome, 'accepted');
      const found = await relay.lookup(client.domain.full_domain);
      assert.equal(found.found && found.upstreams[0]?.node?.node_id, relay.nodeId);
    });

    test('ends when the owner rotates the code: nobody gets the newer one by the old code', async () => {
      const client = await anonymous();
      const { new_client_id } = await claim(client);
      const rotated = await live.api<{ auth_code: string }>(
        'POST',
        `/clients/${new_client_id}/rotate-code`,
        undefined,
        tenant.apiKey,
      );
      const over = await problemOf(open(client.clientId, client.authCode));
      assert.deepEqual([over.status, over.code], [403, 'client_claimed']);
      await opened(new_client_id, rotated.auth_code);
    });

    test('waits while the new client is switched off, and ends with it', async () => {
      const client = await anonymous();
      const { new_client_id } = await claim(client);
      await live.api('PUT', `/clients/${new_client_id}`, { enabled: false }, tenant.apiKey);
      assert.equal((await problemOf(open(client.clientId, client.authCode))).code, 'client_disabled');
      await live.api('PUT', `/clients/${new_client_id}`, { enabled: true }, tenant.apiKey);
      assert.equal((await opened(client.clientId, client.authCode)).client_id, new_client_id);
      await live.api('DELETE', `/clients/${new_client_id}`, undefined, tenant.apiKey);
      const over = await problemOf(open(client.clientId, client.authCode));
      assert.deepEqual([over.code, over['new_client_id']], ['client_claimed', undefined]);
      assert.match(over.detail, /deleted/);
    });

    test('ends after 30 days, and the old client is forgotten after 90', async () => {
      const [client, fresh] = [await anonymous(), await anonymous()];
      await claim(client);
      await claim(fresh);
      const age = (days: number) =>
        live.sql(
          `update clients set expires_at = now() - make_interval(days => $2) where client_id = $1`,
          client.clientId,
          days,
        );
      await age(29);
      await live.plane.runScheduled();
      await opened(client.clientId, client.authCode);
      await age(31);
      await live.plane.runScheduled();
      assert.equal((await problemOf(open(client.clientId, client.authCode))).code, 'client_claimed');
      await age(91);
      await live.plane.runScheduled();
      assert.equal((await open(client.clientId, client.authCode)).status, 401);
      await opened(fresh.clientId, fresh.authCode);
    });
  });

  test('a name that the old agent makes while it is claimed is refused, not lost', async () => {
    const client = await anonymous();
    const [claimed, ...made] = await Promise.all([
      claim(client),
      ...Array.from({ length: 4 }, () => live.tryApi('POST', '/domains', { target_port: 1 }, client.token)),
    ]);
    for (const response of made) {
      if (response.status !== 201) continue;
      const body = (await response.json()) as Domain;
      const domain = await live.api<Domain>('GET', `/domains/${body.domain_id}`, undefined, tenant.apiKey);
      assert.equal(domain.client_id, claimed.new_client_id);
    }
    const left = await live.sql('select 1 from endpoint_upstreams where client_id = $1', client.clientId);
    assert.equal(left.length, 0);
  });
});
