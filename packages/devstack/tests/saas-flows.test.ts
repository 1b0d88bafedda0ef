import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { ApiCaller } from '@tunnox/api-client/api-caller';
import { LoginSession } from '@tunnox/api-client/login-session';
import { ManagementApi } from '@tunnox/api-client/management-api';
import type { AgentSession } from '@tunnox/domain/agent-api';
import type { CreatedClient } from '@tunnox/domain/api/clients';
import type { DeliveredMapping } from '@tunnox/domain/api/mappings';
import { PROTOCOL_VERSION } from '@tunnox/protocol/version';
import { type AgentProcess, startAgent } from '@tunnox/testing/agent';
import { freePort } from '@tunnox/testing/free-port';
import { Client as Database } from 'pg';
import { type Answering, ask, startAnswering } from './support/answering.ts';
import { eventually } from './support/eventually.ts';
import { type ManagedClient, writeRunFile } from './support/managed-client.ts';
import { inBothModes } from './support/modes.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { api, createTenant } from './support/tenant.ts';
import { startTraffic } from './support/traffic.ts';
import { visit, type Visited } from './support/visit.ts';
import { openVisitSession } from './support/visit-session.ts';

const PASSWORD = 'correct horse battery staple';
/** As another site kept it: bcrypt, cost 10. */
const PASSWORD_HASH = '$2b$10$sB8IXh2SceuY9yCj3dzIOu/SMNhEnf5.cIsEcYCqmHeaXAj.dxoQS';
/** Agents choose a relay by lot. */
const LOTS_MAX = 30;
/** An agent that is switched off asks twice a minute. */
const SWITCHED_ON_MS = 45_000;
/** A relay that is not the agent's asks again after this time; until then it passes on what the agent's relay says. */
const FAR_MS = 7_000;

const JSON_ONLY = { headers: { accept: 'application/json' } };

inBothModes('a commercial back end', { env: { TUNNOX_DEMO: 'off' } }, (context) => {
  let caller: ApiCaller;
  let operator: ManagementApi;
  let user: ManagementApi;
  let userId: number;
  let login: LoginSession;
  let left: ManagedClient;
  let right: ManagedClient;
  let agents: { left: AgentProcess; right: AgentProcess };
  let tcp: Answering;
  let web: TargetService;
  let otherWeb: TargetService;
  let privatePort: number;
  const running = new Set<AgentProcess>();

  before(async () => {
    const { stack } = context.platform;
    caller = new ApiCaller({}, { server: stack.api_url, userAgent: 'back-end/1.0' });
    operator = new ManagementApi(caller, stack.operator_key);
    [tcp, web, otherWeb] = [
      await startAnswering('tcp'),
      await startTargetService('web'),
      await startTargetService('other'),
    ];
  });
  after(async () => {
    await Promise.all([...running].map((agent) => agent.stop()));
    tcp.stop();
    await web.stop();
    await otherWeb.stop();
  });

  /** A run file for a client that was just made: its code is in that answer only. */
  const keep = ({ client_id, auth_code }: CreatedClient) =>
    writeRunFile(context.platform.stack, context.platform.home, { clientId: client_id, authCode: auth_code });

  /** `tunnox run` at a relay of its choice, or at another one than `elsewhere`. */
  async function run({ configFile }: ManagedClient, elsewhere?: string): Promise<AgentProcess> {
    for (let lot = 0; lot < LOTS_MAX; lot += 1) {
      const agent = await startAgent(context.platform, ['run', '-c', configFile]);
      running.add(agent);
      const { node_id } = await agent.ready();
      if (node_id !== elsewhere) return agent;
      await agent.stop();
      running.delete(agent);
    }
    throw new Error(`${LOTS_MAX} times the agent chose ${elsewhere}`);
  }

  const nodeOf = async (clientId: number): Promise<string | null> => (await operator.clients.get(clientId)).node_id;

  const visitAll = (host: string): Promise<Visited[]> =>
    Promise.all(context.platform.stack.relays.map(({ http }) => visit({ address: http }, host, '/', JSON_ONLY)));
  const answersOf = (visits: Visited[]): string[] =>
    visits.map(({ status, text }) => (status === 200 ? text : (JSON.parse(text) as { code: string }).code));
  /** Every relay answers so, at once or when it has looked again. */
  const allAnswer = (host: string, expected: string, timeoutMs = FAR_MS) =>
    eventually(
      async () => answersOf(await visitAll(host)),
      (answers) => answers.every((answer) => answer === expected),
      timeoutMs,
    );
  const outcomeOf = (work: Promise<string>): Promise<string> =>
    work.catch((error: NodeJS.ErrnoException) => error.code ?? error.message);
  const privateAnswers = (expected: string, timeoutMs?: number) =>
    eventually(
      () => outcomeOf(ask(privatePort, 'hello')),
      (answer) => answer === expected,
      timeoutMs,
    );
  const applied = ({ delivery }: Pick<DeliveredMapping, 'delivery'>): string[] => delivery.map(({ state }) => state);

  it('sells an account: the password of its own database, a quota, a log-in, a key', async () => {
    const created = await operator.users.create({
      username: 'bob',
      email: 'bob@shop.example',
      password_hash: PASSWORD_HASH,
      plan: 'pro',
    });
    userId = created.user_id;
    await operator.users.setQuota(userId, { max_clients: 3 });
    await assert.rejects(LoginSession.login({ caller }, { login: 'bob', password: 'guessed' }), {
      code: 'unauthenticated',
    });
    login = await LoginSession.login({ caller }, { login: 'bob@shop.example', password: PASSWORD });
    const { api_key: key } = await new ManagementApi(caller, login.bearer).apiKeys.create(userId, { name: 'back end' });
    user = new ManagementApi(caller, key);
    const { role, user: me } = await user.me();
    assert.deepEqual([role, me?.user_id, me?.quota.max_clients], ['user', userId, 3]);
  });

  it('makes clients, whose agents start with a code that is shown once, and no more than are paid for', async () => {
    const made = [
      await user.clients.create({ client_name: 'left' }),
      await user.clients.create({ client_name: 'right' }),
    ];
    [left, right] = [await keep(made[0] ?? assert.fail()), await keep(made[1] ?? assert.fail())];
    const { namespace_id: teamId } = await user.namespaces.create({ name: 'shop' });
    const third = await user.clients.create({ client_name: 'till', namespace_id: teamId });
    await assert.rejects(user.clients.create({ client_name: 'a fourth' }), {
      code: 'quota_exceeded',
      members: { limit: 3, current: 3 },
    });
    await user.clients.delete(third.client_id);
    await user.namespaces.delete(teamId);
    const shown = JSON.stringify([await user.clients.get(left.clientId), await user.clients.list()]);
    assert.ok(!shown.includes(left.authCode));

    const first = await run(left);
    const nodeId = (await nodeOf(left.clientId)) ?? assert.fail();
    agents = { left: first, right: await run(right, nodeId) };
    assert.notEqual(await nodeOf(right.clientId), nodeId);
  });

  it('maps a port over two relays, which carries at the moment in which the answer says applied', async () => {
    privatePort = await freePort();
    const mapping = await user.mappings.create({
      ...{ source_client_id: left.clientId, target_client_id: right.clientId, local_port: privatePort },
      ...{ target_host: '127.0.0.1', target_port: tcp.port },
    });
    assert.deepEqual(applied(mapping), ['applied', 'applied']);
    assert.equal(await ask(privatePort, 'hello'), 'tcp: hello');
    assert.equal((await user.users.quota(userId)).current_active_mappings, 1);
  });

  it('disconnects agents, which are sent away at both relays and come back', async () => {
    for (const [client, agent] of [
      [left, agents.left],
      [right, agents.right],
    ] as const) {
      const { attached_at: before } = await user.clients.get(client.clientId);
      await user.clients.disconnect(client.clientId);
      assert.equal((await agent.next('reconnecting'))['code'], 'disconnected');
      await agent.next('connected');
      const { attached_at: now } = await eventually(
        () => user.clients.get(client.clientId),
        ({ status, attached_at }) => status === 'online' && attached_at !== before,
      );
      assert.ok(now !== null);
    }
    await privateAnswers('tcp: hello');
  });

  it('shares a client in a team: members change it and it applies, viewers look, whoever is removed is out at once', async () => {
    const { stack } = context.platform;
    const [member, viewer] = [await createTenant(stack, 'free'), await createTenant(stack, 'free')];
    const asMember = new ManagementApi(caller, member.apiKey);
    const asViewer = new ManagementApi(caller, viewer.apiKey);
    const { namespace_id: teamId } = await user.namespaces.create({ name: 'team' });
    await user.namespaces.setMember(teamId, member.userId, 'member');
    await user.namespaces.setMember(teamId, viewer.userId, 'viewer');

    // A member makes it; the owner pays.
    const made = await asMember.clients.create({ client_name: 'shared', namespace_id: teamId });
    assert.equal(made.user_id, userId);
    const agent = await run(await keep(made));
    const client = { client_id: made.client_id };
    const domain = await asMember.domains.create({ ...client, target_host: '127.0.0.1', target_port: web.port });
    assert.deepEqual(applied(domain), ['applied']);
    await allAnswer(domain.full_domain, 'web');

    assert.equal((await asViewer.domains.get(domain.domain_id)).full_domain, domain.full_domain);
    const change = { target_port: otherWeb.port };
    await assert.rejects(asViewer.domains.update(domain.domain_id, change), { code: 'forbidden' });
    await assert.rejects(asViewer.clients.disconnect(client.client_id), { code: 'forbidden' });
    assert.deepEqual(applied(await asMember.domains.update(domain.domain_id, change)), ['applied']);
    assert.deepEqual(answersOf(await visitAll(domain.full_domain)), ['other', 'other']);

    for (const [who, as] of [
      [member, asMember],
      [viewer, asViewer],
    ] as const) {
      await user.namespaces.removeMember(teamId, who.userId);
      for (const look of [
        () => as.domains.get(domain.domain_id),
        () => as.domains.update(domain.domain_id, change),
        () => as.clients.get(client.client_id),
        () => as.clients.rotateCode(client.client_id),
        () => as.stats.client(client.client_id),
        () => as.namespaces.get(teamId),
        () => as.clients.create({ client_name: 'more', namespace_id: teamId }),
      ]) {
        await assert.rejects(look(), { code: 'not_found' });
      }
      assert.equal((await as.clients.list()).total + (await as.domains.list()).total, 0);
      assert.deepEqual((await as.me()).namespaces, []);
    }
    await agent.stop();
    running.delete(agent);
    await user.clients.delete(client.client_id);
    await allAnswer(domain.full_domain, 'not_found');
    await user.namespaces.delete(teamId);
  });

  it('makes routes that answer visitors, and end with their time or with their agent', async () => {
    const { base_domain: base } = context.platform.stack;
    const target = { client_id: left.clientId, target_host: '127.0.0.1', target_port: web.port };
    const timed = await user.routes.create({ ...target, endpoint: `timed.${base}`, ttl_seconds: 5 });
    assert.deepEqual(applied(timed), ['applied']);
    assert.deepEqual(answersOf(await visitAll(`timed.${base}`)), ['web', 'web']);
    const bound = await user.routes.create({ ...target, endpoint: `bound.${base}`, client_id: right.clientId });
    assert.deepEqual(answersOf(await visitAll(`bound.${base}`)), ['web', 'web']);
    assert.deepEqual([bound.expires_at, bound.ends_with_client], [null, true]);

    await allAnswer(`timed.${base}`, 'not_found', 5_000 + FAR_MS);
    assert.ok(Date.now() >= Date.parse(timed.expires_at ?? ''), 'not before its time');
    await assert.rejects(user.routes.get(`timed.${base}`), { code: 'not_found' });

    const nodeId = (await nodeOf(left.clientId)) ?? assert.fail();
    await agents.right.stop();
    running.delete(agents.right);
    await allAnswer(`bound.${base}`, 'not_found', 20_000);
    await assert.rejects(user.routes.get(`bound.${base}`), { code: 'not_found' });
    agents.right = await run(right, nodeId);
    assert.deepEqual(answersOf(await visitAll(`bound.${base}`)), ['not_found', 'not_found']);
    await privateAnswers('tcp: hello');
  });

  it('suspends a client and a user: visitors are told, agents wait, and all goes on when that is lifted', async () => {
    const domain = await user.domains.create({
      ...{ subdomain: 'bobs', client_id: right.clientId },
      ...{ target_host: '127.0.0.1', target_port: web.port },
    });
    await allAnswer(domain.full_domain, 'web');
    await operator.clients.update(right.clientId, { suspended: true, suspended_reason: 'Spam' });
    assert.match(String((await agents.right.next('reconnecting'))['message']), /suspended by an operator: Spam/);
    await allAnswer(domain.full_domain, 'disabled');
    assert.notEqual(await outcomeOf(ask(privatePort, 'hello')), 'tcp: hello');
    assert.equal((await user.clients.get(left.clientId)).status, 'online');
    assert.equal((await user.clients.get(right.clientId)).status, 'disabled');
    await assert.rejects(user.clients.update(right.clientId, { enabled: true }), { code: 'client_disabled' });
    await operator.clients.update(right.clientId, { suspended: false });

    await operator.users.update(userId, { status: 'disabled' });
    assert.equal((await agents.left.next('reconnecting'))['code'], 'disabled');
    await allAnswer(domain.full_domain, 'disabled');
    await assert.rejects(user.clients.list(), { code: 'unauthenticated' });
    await assert.rejects(new ManagementApi(caller, login.bearer).clients.list(), { code: 'unauthenticated' });
    await assert.rejects(LoginSession.login({ caller }, { login: 'bob', password: PASSWORD }), { code: 'forbidden' });

    await operator.users.update(userId, { status: 'active' });
    await allAnswer(domain.full_domain, 'web', SWITCHED_ON_MS);
    await privateAnswers('tcp: hello', SWITCHED_ON_MS);
    // What was logged in before has to do it again; the key is good as before.
    await assert.rejects(new ManagementApi(caller, login.bearer).clients.list(), { code: 'unauthenticated' });
    assert.equal((await user.clients.list()).total, 2);
  });

  it('deletes a user with all that it has, and nobody else notices', async (t) => {
    const { stack } = context.platform;
    // Somebody else, whose visitors go on all the time.
    const witness = await createTenant(stack);
    const asWitness = new ManagementApi(caller, witness.apiKey);
    const theirs = await run(await keep(await asWitness.clients.create({ client_name: 'witness' })));
    const theirClient = (await theirs.ready()).client_id;
    const theirDomain = await asWitness.domains.create({ client_id: theirClient, target_port: otherWeb.port });
    await allAnswer(theirDomain.full_domain, 'other');
    const traffic = startTraffic(t, { address: stack.relays[0]?.http ?? '' }, theirDomain.full_domain, 'other');
    const { namespace_id: teamId } = await user.namespaces.create({ name: 'doomed' });
    await user.namespaces.setMember(teamId, witness.userId, 'admin');

    const team = await asWitness.clients.create({ client_name: 'in the team', namespace_id: teamId });
    const teamAgent = await run(await keep(team));
    const open = await user.mappings.create({
      ...{ target_client_id: right.clientId, target_host: '127.0.0.1', target_port: tcp.port },
    });
    const openPort = open.remote_port ?? assert.fail();
    assert.equal(await ask(openPort, 'hello'), 'tcp: hello');
    const sessions = await Promise.all([left, right].map((client) => sessionOf(client)));
    login = await LoginSession.login({ caller }, { login: 'bob', password: PASSWORD });
    const theirStats = async () => {
      const { total_clients, total_mappings, online_clients } = await asWitness.stats.user(witness.userId);
      return { total_clients, total_mappings, online_clients };
    };
    const before = { theirs: await theirStats(), system: await operator.stats.system() };
    await traffic.answers(10);

    await operator.users.delete(userId);

    const all = [agents.left, agents.right, teamAgent];
    for (const agent of all) {
      const { code, message } = await agent.next('error');
      assert.deepEqual([code, message], ['deleted', 'The client was deleted, or its time has ended.']);
      assert.equal(await agent.exited, 1);
      running.delete(agent);
    }
    await allAnswer('bobs.tunnox.localhost', 'not_found');
    assert.notEqual(await outcomeOf(ask(openPort, 'hello')), 'tcp: hello');
    assert.equal(await outcomeOf(ask(privatePort, 'hello')), 'ECONNREFUSED');
    for (const session of sessions) {
      for (const { node_id } of stack.relays) {
        await assert.rejects(openVisitSession(session, node_id), `a ticket of before at ${node_id}`);
      }
    }
    for (const client of [left, right]) await assert.rejects(sessionOf(client), /: 401 /);
    for (const as of [user, new ManagementApi(caller, login.bearer)]) {
      await assert.rejects(as.me(), { code: 'unauthenticated' });
    }
    await assert.rejects(LoginSession.login({ caller }, { login: 'bob', password: PASSWORD }), {
      code: 'unauthenticated',
    });
    for (const look of [
      () => asWitness.namespaces.get(teamId),
      () => asWitness.clients.get(team.client_id),
      () => operator.users.get(userId),
      () => operator.clients.get(left.clientId),
      () => operator.mappings.get(open.mapping_id),
      () => operator.users.quota(userId),
      () => operator.stats.user(userId),
    ]) {
      await assert.rejects(look(), { code: 'not_found' });
    }
    assert.deepEqual(await rowsOf(userId), {});

    assert.deepEqual(await theirStats(), before.theirs);
    const { system } = before;
    // Sessions of agents end when the relays tell of it.
    const now = await eventually(
      () => operator.stats.system(),
      ({ online_clients }) => online_clients === system.online_clients - 3,
    );
    assert.deepEqual(
      [now.total_users, now.total_clients, now.total_mappings],
      [system.total_users - 1, system.total_clients - 3, system.total_mappings - 3],
    );
    await traffic.answers(10);
    assert.deepEqual((await traffic.stop()).failures, []);
    // Its names in the platform are free, the one that visitors know waits.
    const again = await operator.users.create({ username: 'bob', email: 'bob@shop.example', plan: 'free' });
    assert.notEqual(again.user_id, userId);
    assert.equal((await asWitness.domains.availability('bobs')).available, false);
  });

  function sessionOf({ clientId, authCode }: ManagedClient): Promise<AgentSession> {
    return api<AgentSession>(context.platform.stack, '', 'POST', '/agent/v1/session', {
      ...{ client_id: clientId, auth_code: authCode },
      ...{ agent_version: 'test', protocol: PROTOCOL_VERSION },
    });
  }

  /** What is left of a user that could do something, by table. */
  async function rowsOf(id: number): Promise<Record<string, number>> {
    const database = new Database({ connectionString: context.platform.stack.postgres_url });
    await database.connect();
    try {
      const { rows } = await database.query<{ what: string; count: string }>(
        `select what, count(*) from (
           select 'clients' as what from clients where user_id = $1
           union all select 'mappings' from port_mappings where user_id = $1
           union all select 'domains' from http_domain_mappings where user_id = $1
           union all select 'upstreams' from endpoint_upstreams where client_id not in (select client_id from clients)
           union all select 'teams' from namespaces where user_id = $1
           union all select 'memberships' from memberships where user_id = $1
           union all select 'keys' from api_keys where user_id = $1 and revoked_at is null
           union all select 'log-ins' from refresh_tokens where user_id = $1 and revoked_at is null
           union all select 'password' from users where user_id = $1 and (password_hash is not null or status <> 'deleted')
         ) left_over group by what`,
        [id],
      );
      return Object.fromEntries(rows.map(({ what, count }) => [what, Number(count)]));
    } finally {
      await database.end();
    }
  }
});
