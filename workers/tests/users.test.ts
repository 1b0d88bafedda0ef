import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestStack } from './test-stack.ts';

let stack: TestStack;
before(async () => {
  stack = await TestStack.start();
});
after(() => stack.stop());

test('POST /users makes a user with the quota of its plan', async () => {
  const { status, body } = await stack.asOperator('POST', '/users', {
    username: 'Ada',
    email: 'Ada@customer.example',
    password: 'correct horse battery',
    plan: 'pro',
  });
  assert.equal(status, 201);
  assert.ok(body['user_id'] >= 100_000_001);
  assert.equal(body['status'], 'active');
  assert.deepEqual(body['quota'], {
    max_clients: 10,
    max_mappings: 50,
    max_active_mappings: 10,
    max_connections_per_mapping: 100,
    total_bandwidth_limit: 10_485_760,
    monthly_traffic_limit: 536_870_912_000,
  });
  const { rows } = await stack.database.query('select password_hash from users where user_id = $1', [body['user_id']]);
  assert.match(rows[0].password_hash, /^\$scrypt\$ln=14,r=8,p=5\$/);
  assert.ok(!JSON.stringify(body).includes('scrypt'));

  const name = await stack.asOperator('POST', '/users', { username: 'aDA', email: 'other@customer.example' });
  assert.deepEqual([name.status, name.body['code']], [409, 'username_taken']);
  const email = await stack.asOperator('POST', '/users', { username: 'ada2', email: 'ADA@CUSTOMER.example' });
  assert.deepEqual([email.status, email.body['code']], [409, 'email_taken']);
});

test('POST /users imports hashes of bounded cost only', async () => {
  const hashed = (password_hash: string, username: string) =>
    stack.asOperator('POST', '/users', { username, email: `${username}@customer.example`, password_hash });
  const tail = `$${'A'.repeat(22)}$${'B'.repeat(43)}`;
  assert.equal((await hashed(`$scrypt$ln=14,r=8,p=5${tail}`, 'cheap')).status, 201);
  assert.equal((await hashed(`$2b$10$${'a'.repeat(53)}`, 'bcrypt')).status, 201);
  for (const dear of [`$scrypt$ln=24,r=8,p=1${tail}`, `$2b$20$${'a'.repeat(53)}`, 'secret', '$md5$x']) {
    const answer = await hashed(dear, 'dear');
    assert.equal(answer.status, 422, dear);
    assert.equal(answer.body['errors'][0]['pointer'], '/password_hash');
  }
  const both = { username: 'both', email: 'both@customer.example', password: 'correct horse', password_hash: 'x' };
  assert.equal((await stack.asOperator('POST', '/users', both)).status, 422);
  const plan = { username: 'plan', email: 'plan@customer.example', plan: 'none' };
  assert.equal((await stack.asOperator('POST', '/users', plan)).body['errors'][0]['pointer'], '/plan');
});

test('GET /users pages by number and walks by cursor while users are added', async () => {
  for (let i = 0; i < 5; i += 1) await stack.newUser(`page-${i}`, 'free');
  const total: number = (await stack.asOperator('GET', '/users?limit=1')).body['total'];
  const seen: number[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const answer = await stack.asOperator('GET', `/users?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
    const page = answer.body as { users: { user_id: number }[]; next_cursor: string | null };
    seen.push(...page.users.map((user) => user.user_id));
    if (seen.length === 2) await stack.newUser('page-late', 'free');
    cursor = page.next_cursor;
  }
  assert.equal(seen.length, total + 1);
  assert.deepEqual(
    seen,
    [...new Set(seen)].sort((a, b) => a - b),
  );
  const { body: second } = await stack.asOperator('GET', '/users?limit=2&page=2');
  assert.equal(second['page'], 2);
  assert.deepEqual(
    second['users'].map((user: { user_id: number }) => user.user_id),
    seen.slice(2, 4),
  );
});

test('users see and change themselves, and nobody else', async () => {
  const mine = await stack.newUser('self');
  const other = await stack.newUser('someone-else');
  assert.equal((await stack.call('GET', `/users/${mine.userId}`, { token: mine.token })).status, 200);
  const renamed = { token: mine.token, body: { email: 'new@customer.example' } };
  assert.equal((await stack.call('PUT', `/users/${mine.userId}`, renamed)).body['email'], 'new@customer.example');
  const calls: [string, string, unknown?][] = [
    ['GET', ''],
    ['PUT', '', { email: 'x@customer.example' }],
    ['GET', '/quota'],
    ['GET', '/api-keys'],
    ['POST', '/api-keys', {}],
    ['DELETE', '/api-keys/1'],
  ];
  for (const [method, path, body] of calls) {
    const answer = await stack.call(method, `/users/${other.userId}${path}`, { token: mine.token, body });
    assert.deepEqual([answer.status, answer.body['code']], [404, 'not_found'], method + path);
  }
  const password = { token: mine.token, body: { password: 'something new' } };
  const unproved = await stack.call('PUT', `/users/${mine.userId}`, password);
  assert.deepEqual([unproved.status, unproved.body['errors'][0]['pointer']], [422, '/current_password']);
});

test('POST /users/{id}/quota sets limits, null is unlimited, and GET tells the use', async () => {
  const { userId, token } = await stack.newUser('limited', 'free');
  const set = await stack.asOperator('POST', `/users/${userId}/quota`, { max_clients: 5, monthly_traffic_limit: 1000 });
  assert.equal(set.status, 200);
  assert.equal(set.body['quota']['max_clients'], 5);
  assert.equal(set.body['quota']['max_mappings'], 1);
  await stack.newClient(token);
  await stack.database.query(
    `insert into usage_monthly (user_id, month, bytes_in, bytes_out)
     values ($1, date_trunc('month', now() at time zone 'utc'), 200, 50)`,
    [userId],
  );
  const { body } = await stack.call('GET', `/users/${userId}/quota`, { token });
  assert.equal(body['current_clients'], 1);
  assert.equal(body['current_mappings'], 0);
  assert.equal(body['current_active_mappings'], 0);
  assert.equal(body['current_month_traffic'], 250);
  assert.equal(body['traffic_usage_percent'], 25);
  await stack.asOperator('POST', `/users/${userId}/quota`, { monthly_traffic_limit: null });
  const lifted = await stack.call('GET', `/users/${userId}/quota`, { token });
  assert.equal(lifted.body['monthly_traffic_limit'], null);
  assert.equal(lifted.body['traffic_usage_percent'], null);
  assert.equal((await stack.asOperator('POST', `/users/${userId}/quota`, { max_clients: -1 })).status, 422);
  assert.equal((await stack.asOperator('POST', '/users/999999999/quota', { max_clients: 1 })).status, 404);
});

test('DELETE /users/{id} ends all that the user has, and frees its names', async () => {
  const { userId, token } = await stack.newUser('leaver');
  const client = await stack.newClient(token);
  const body = { subdomain: 'leavers-name', client_id: client, target_port: 80 };
  const domain = await stack.call('POST', '/domains', { token, body });
  assert.equal((await stack.asOperator('DELETE', `/users/${userId}`)).status, 204);
  assert.equal((await stack.call('GET', '/me', { token })).status, 401);
  assert.equal((await stack.asOperator('GET', `/users/${userId}`)).status, 404);
  assert.equal((await stack.asOperator('GET', `/clients/${client}`)).status, 404);
  assert.equal((await stack.asOperator('GET', `/domains/${domain.body['domain_id']}`)).status, 404);
  const { rows } = await stack.database.query(
    `select endpoint, deleted, version::int, change from outbox
     where binding_id = $1 and deleted or (client_ids @> array[$2::bigint] and change = 'deleted') order by id`,
    [`domain:${domain.body['domain_id']}`, client],
  );
  assert.equal(rows.length, 2);
  assert.equal(rows[0].endpoint, 'leavers-name.tunnox.example');
  assert.equal(rows[0].version, domain.body['version'] + 1);
  assert.equal((await stack.newUser('leaver')).userId === userId, false);
});
