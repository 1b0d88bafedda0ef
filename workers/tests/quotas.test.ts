import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Answer, type Body, TestStack } from './test-stack.ts';

const LIMITS = {
  max_clients: null,
  max_mappings: null,
  max_active_mappings: null,
  max_connections_per_mapping: null,
  total_bandwidth_limit: null,
  monthly_traffic_limit: null,
};

/** So many calls come at the same moment. */
const AT_ONCE = 50;

describe('quotas and plans', () => {
  let stack: TestStack;
  before(async () => {
    stack = await TestStack.start();
    await stack.addNode('node-001', 20_000, 20_999);
  });
  after(() => stack?.stop());

  const quota = (userId: number, limits: Body) => stack.asOperator('POST', `/users/${userId}/quota`, limits);
  const mapping = (token: string, clientId: number) =>
    stack.call('POST', '/mappings', { token, body: { target_client_id: clientId, protocol: 'tcp', target_port: 80 } });
  const domain = (token: string, clientId: number) =>
    stack.call('POST', '/domains', { token, body: { client_id: clientId, target_port: 80 } });

  /** Exactly `limit` of the answers are 201, the others say what is full. */
  const assertExact = (answers: Answer[], limit: number): void => {
    const made = answers.filter(({ status }) => status === 201);
    assert.equal(made.length, limit);
    for (const { status, body } of answers.filter((answer) => !made.includes(answer))) {
      assert.deepEqual([status, body['code'], body['limit'], body['current']], [403, 'quota_exceeded', limit, limit]);
    }
  };

  test('POST /clients fifty times at once never passes max_clients', async () => {
    const { userId, token } = await stack.newUser('racing-clients', 'enterprise');
    await quota(userId, { max_clients: 7 });
    const make = () => stack.call('POST', '/clients', { token, body: { client_name: 'racer' } });
    assertExact(await Promise.all(Array.from({ length: AT_ONCE }, make)), 7);
    const { body } = await stack.call('GET', `/users/${userId}/quota`, { token });
    assert.deepEqual([body['current_clients'], body['clients_usage_percent']], [7, 100]);
  });

  test('mappings, domains, and both at once never pass max_mappings, which counts them together', async () => {
    const kinds = {
      mappings: () => mapping,
      domains: () => domain,
      mixed: (index: number) => (index % 2 === 0 ? mapping : domain),
    };
    for (const [kind, chosen] of Object.entries(kinds)) {
      const { userId, token } = await stack.newUser(`racing-${kind}`, 'enterprise');
      const clientId = await stack.newClient(token);
      await quota(userId, { max_mappings: 9 });
      const answers = await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => chosen(index)(token, clientId)));
      assertExact(answers, 9);
      const { body } = await stack.call('GET', `/users/${userId}/quota`, { token });
      assert.equal(body['current_mappings'], 9, kind);
    }
  });

  test('an anonymous client has one domain, however many it asks for at once', async () => {
    const { clientId, token } = await stack.newAnonymous();
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => domain(token, clientId)));
    assertExact(answers, 1);
  });

  test('a limit below use keeps what there is and refuses more; -1 is no value', async () => {
    const { userId, token } = await stack.newUser('lowered', 'enterprise');
    const clientId = await stack.newClient(token);
    const made = await Promise.all([mapping(token, clientId), domain(token, clientId), domain(token, clientId)]);
    assert.deepEqual(
      made.map(({ status }) => status),
      [201, 201, 201],
    );
    await quota(userId, { max_mappings: 2, max_clients: 0 });
    const more = await domain(token, clientId);
    assert.deepEqual([more.body['code'], more.body['limit'], more.body['current']], ['quota_exceeded', 2, 3]);
    const { body } = await stack.call('GET', `/users/${userId}/quota`, { token });
    assert.deepEqual(
      [body['current_mappings'], body['mappings_usage_percent'], body['clients_usage_percent']],
      [3, 150, 100],
    );
    assert.equal((await stack.call('GET', '/mappings', { token })).body['total'], 1);
    // Removing one is not enough, removing two is.
    await stack.call('DELETE', `/domains/${made[1]?.body['domain_id']}`, { token });
    assert.equal((await domain(token, clientId)).status, 403);
    await stack.call('DELETE', `/domains/${made[2]?.body['domain_id']}`, { token });
    assert.equal((await domain(token, clientId)).status, 201);
    const wrong = await quota(userId, { max_mappings: -1 });
    assert.deepEqual([wrong.status, wrong.body['errors'][0]['pointer']], [422, '/max_mappings']);
    assert.equal((await quota(userId, { max_mappings: 2.5 })).status, 422);
    assert.equal((await quota(userId, { max_mappings: null })).body['quota']['max_mappings'], null);
    assert.equal((await domain(token, clientId)).status, 201);
  });

  test('GET /users/{id}/quota tells bandwidth as relays report it, and when the month ends', async () => {
    const { userId, token } = await stack.newUser('busy', 'free');
    const rate = (nodeId: string, bytes: number, age: string) =>
      stack.database.query(
        `insert into user_bandwidth (user_id, node_id, taken_at, interval_ms, bytes, reported_at)
         values ($1, $2, now(), 1000, $3, now() - $4::interval)`,
        [userId, nodeId, bytes, age],
      );
    await rate('node-001', 100_000, '10 seconds');
    await rate('node-002', 31_072, '0');
    await rate('node-003', 900_000, '1 hour');
    const { body } = await stack.call('GET', `/users/${userId}/quota`, { token });
    assert.equal(body['total_bandwidth_limit'], 524_288);
    assert.deepEqual([body['current_bandwidth'], body['bandwidth_usage_percent']], [131_072, 25]);
    const resets = new Date(body['traffic_resets_at'] as string);
    const now = new Date();
    assert.equal(resets.getTime(), Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1));
  });

  describe('PUT /plans/{name}', () => {
    test('makes and replaces plans, for operators, with a line in the audit log', async () => {
      const { token } = await stack.newUser('planless');
      const limits = { ...LIMITS, max_clients: 3, total_bandwidth_limit: 1000 };
      const put = (body: unknown, name = 'team', bearer?: string) =>
        bearer === undefined
          ? stack.asOperator('PUT', `/plans/${name}`, body)
          : stack.call('PUT', `/plans/${name}`, { token: bearer, body });
      assert.equal((await put(limits, 'team', token)).status, 403);
      const made = await put(limits);
      assert.deepEqual([made.status, made.body], [200, { name: 'team', ...limits }]);
      const replaced = await put({ ...limits, max_clients: 4 });
      assert.equal(replaced.body['max_clients'], 4);
      const { body } = await stack.call('GET', '/plans', { token });
      const plans = body['plans'] as { name: string }[];
      assert.deepEqual(
        plans.find(({ name }) => name === 'team'),
        { name: 'team', ...limits, max_clients: 4 },
      );
      const { rows } = await stack.database.query<{ action: string; before: Body | null; after: Body }>(
        `select action, before, after from audit_log where object_type = 'plan' and object_id = 'team' order by id`,
      );
      assert.deepEqual(
        rows.map(({ action, before, after: now }) => [action, before?.['max_clients'], now['max_clients']]),
        [
          ['plan.create', undefined, 3],
          ['plan.update', 3, 4],
        ],
      );
      // All six, and each a number that can be meant.
      const { max_clients: _, ...five } = limits;
      assert.equal((await put(five)).body['errors'][0]['pointer'], '/max_clients');
      for (const wrong of [-1, 1.5, '3', 2 ** 60])
        assert.equal((await put({ ...limits, max_clients: wrong })).status, 422);
      for (const name of ['Team', '1st', 'x'.repeat(33)]) assert.equal((await put(limits, name)).status, 422, name);
      const user = await stack.newUser('member', 'team');
      const { body: use } = await stack.call('GET', `/users/${user.userId}/quota`, { token: user.token });
      assert.deepEqual([use['max_clients'], use['total_bandwidth_limit']], [4, 1000]);
    });

    test("a user's own limits stay above the plan's, whatever becomes of it", async () => {
      await stack.asOperator('PUT', '/plans/base', { ...LIMITS, max_clients: 1, max_mappings: 1 });
      const { userId, token } = await stack.newUser('special', 'base');
      await quota(userId, { max_clients: 5, max_mappings: null });
      await stack.asOperator('PUT', '/plans/base', {
        ...LIMITS,
        max_clients: 2,
        max_mappings: 2,
        max_active_mappings: 2,
      });
      const { body } = await stack.call('GET', `/users/${userId}/quota`, { token });
      assert.deepEqual([body['max_clients'], body['max_mappings'], body['max_active_mappings']], [5, null, 2]);
    });

    test("concerns every client of the plan's users, once, and nobody when nothing is another", async () => {
      const plan = { ...LIMITS, monthly_traffic_limit: 1000 };
      await stack.asOperator('PUT', '/plans/many', plan);
      const users = await Promise.all(['m1', 'm2', 'm3'].map((name) => stack.newUser(name, 'many')));
      const other = await stack.newUser('not-many', 'pro');
      const clientIds = await Promise.all(
        users.flatMap(({ token }) => [stack.newClient(token), stack.newClient(token)]),
      );
      const bystander = await stack.newClient(other.token);
      const told = async (): Promise<number[]> => {
        const { rows } = await stack.database.query<{ id: number }>(
          `select unnest(client_ids)::int as id from outbox where change = 'limits' and client_ids && $1 order by 1`,
          [[...clientIds, bystander]],
        );
        return rows.map(({ id }) => id);
      };
      await stack.asOperator('PUT', '/plans/many', plan);
      assert.deepEqual(await told(), []);
      await stack.asOperator('PUT', '/plans/many', { ...plan, monthly_traffic_limit: 2000 });
      assert.deepEqual(await told(), clientIds.toSorted());
    });

    test('the plan `anonymous` concerns anonymous clients', async () => {
      const { clientId, token } = await stack.newAnonymous();
      assert.equal((await domain(token, clientId)).status, 201);
      const { rows } = await stack.database.query(`select * from plans where name = 'anonymous'`);
      const { name: _, ...before } = Object.fromEntries(
        Object.entries(rows[0] as Record<string, string | null>).map(([key, value]) => [
          key,
          value === null ? null : Number(value),
        ]),
      );
      await stack.asOperator('PUT', '/plans/anonymous', { ...before, max_mappings: 2 });
      assert.equal((await domain(token, clientId)).status, 201);
      assert.equal((await domain(token, clientId)).body['code'], 'quota_exceeded');
      const { rows: told } = await stack.database.query(
        `select 1 from outbox where change = 'limits' and client_ids @> array[$1::bigint]`,
        [clientId],
      );
      assert.equal(told.length, 1);
      await stack.asOperator('PUT', '/plans/anonymous', before);
    });
  });

  test('DELETE /users/{id}/quota makes the limits the plan’s again', async () => {
    const { userId } = await stack.newUser('reset-quota');
    const plan = (await stack.asOperator('GET', `/users/${userId}/quota`)).body['max_clients'];
    await stack.asOperator('POST', `/users/${userId}/quota`, { max_clients: null, max_mappings: 7 });
    assert.equal((await stack.asOperator('GET', `/users/${userId}/quota`)).body['max_clients'], null);
    const reset = await stack.asOperator('DELETE', `/users/${userId}/quota`);
    assert.deepEqual([reset.status, reset.body['quota'].max_clients], [200, plan]);
    const again = await stack.asOperator('DELETE', `/users/${userId}/quota`);
    assert.equal(again.status, 200);
  });
});
