import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assertStatus, made, type Person, readsOf, type Team, Teams } from './teams.ts';
import { type Answer, TestStack } from './test-stack.ts';

const PASSWORD = 'correct horse battery';

let stack: TestStack;
let teams: Teams;
let ours: Team;
let theirs: Team;
before(async () => {
  stack = await TestStack.start();
  teams = new Teams(stack);
  ours = await teams.make('ours');
  theirs = await teams.make('theirs');
});
after(() => stack.stop());

describe('teams', () => {
  test('have a name, an owner, counts and a version', async () => {
    const { status, body, headers } = await teams.call(ours.people.viewer, 'GET', `/namespaces/${ours.id}`);
    assert.equal(status, 200);
    const { namespace_id, user_id, name, role, members, clients, mappings, version } = body;
    assert.deepEqual(
      { namespace_id, user_id, name, role, members, clients, mappings },
      {
        ...{ namespace_id: ours.id, user_id: ours.people.owner.userId, name: 'ours', role: 'viewer' },
        ...{ members: 4, clients: 2, mappings: 2 },
      },
    );
    assert.equal(headers.get('etag'), `"${version}"`);
  });

  test('POST /namespaces: names are unique for an owner, operators say for whom, and there is an end', async () => {
    const owner = await stack.newUser('namer');
    const first = await teams.call(owner, 'POST', '/namespaces', { name: '  Workshop ' });
    assert.deepEqual([first.status, first.body['name'], first.body['role']], [201, 'Workshop', 'owner']);
    assert.deepEqual(await teams.audited('namespace.create', first.body['namespace_id'] as number), [
      { actor_id: owner.userId, user_id: owner.userId, before: null, after: { name: 'Workshop' } },
    ]);
    const again = await teams.call(owner, 'POST', '/namespaces', { name: 'workSHOP' });
    assert.deepEqual([again.status, again.body['code']], [409, 'conflict']);
    assertStatus(
      await teams.call(ours.people.owner, 'POST', '/namespaces', { name: 'Workshop' }),
      201,
      'of another owner',
    );
    for (const name of ['', '   ', 'x'.repeat(65)]) {
      assertStatus(await teams.call(owner, 'POST', '/namespaces', { name }), 422);
    }
    assertStatus(await teams.call(owner, 'POST', '/namespaces', { name: 'x', user_id: ours.people.owner.userId }), 404);
    assertStatus(await stack.asOperator('POST', '/namespaces', { name: 'x' }), 422);
    assertStatus(await stack.asOperator('POST', '/namespaces', { name: 'x', user_id: 1 }), 404);
    const byOperator = await stack.asOperator('POST', '/namespaces', { name: 'x', user_id: owner.userId });
    assert.deepEqual([byOperator.status, byOperator.body['role']], [201, null]);
    assert.equal((await teams.call(owner, 'GET', '/namespaces')).body['total'], 2);

    await stack.database.query(
      `insert into namespaces (user_id, name) select $1, 'n' || n from generate_series(1, 97) n`,
      [owner.userId],
    );
    const last = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => teams.call(owner, 'POST', '/namespaces', { name: `last ${name}` })),
    );
    assert.equal(last.filter(({ status }) => status === 201).length, 1, 'the hundredth');
    for (const { status, body } of last.filter((one) => one.status !== 201)) {
      assert.deepEqual([status, body['code'], body['limit']], [403, 'quota_exceeded', 100]);
    }
  });

  test('GET /namespaces lists those in which one is, page by page; operators see all', async () => {
    const person = await stack.newUser('lister');
    const ids: number[] = [];
    for (let i = 0; i < 5; i += 1) ids.push(await teams.newNamespace(person, `list ${i}`));
    const [hidden] = ids.splice(4);
    await teams.call(person, 'DELETE', `/namespaces/${hidden}`);
    const seen: number[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Answer = await teams.call(
        person,
        'GET',
        `/namespaces?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      assert.equal(page.body['total'], 4);
      seen.push(...(page.body['namespaces'] as { namespace_id: number }[]).map((one) => one.namespace_id));
      cursor = page.body['next_cursor'] as string | null;
    }
    assert.deepEqual(seen, ids);
    const all = await stack.asOperator('GET', '/namespaces?limit=100');
    const shown = (all.body['namespaces'] as { namespace_id: number; role: null }[]).filter(({ namespace_id }) =>
      [ours.id, theirs.id].includes(namespace_id),
    );
    assert.deepEqual(
      shown.map(({ role }) => role),
      [null, null],
    );
    assert.equal((await stack.asOperator('GET', `/namespaces?user_id=${person.userId}`)).body['total'], 4);
  });

  test('PUT /namespaces/{id} renames, for owner and admins, and minds If-Match', async () => {
    const path = `/namespaces/${ours.id}`;
    const { version } = (await teams.call(ours.people.owner, 'GET', path)).body as { version: number };
    const renamed = await teams.call(ours.people.admin, 'PUT', path, { name: 'ours too' });
    assert.deepEqual([renamed.status, renamed.body['name']], [200, 'ours too']);
    assert.equal(renamed.headers.get('etag'), `"${version + 1}"`);
    for (const role of ['member', 'viewer'] as const) {
      assertStatus(await teams.call(ours.people[role], 'PUT', path, { name: 'x' }), 403, role);
    }
    const late = { headers: { 'if-match': `"${version}"` } };
    const refused = await teams.call(ours.people.owner, 'PUT', path, { name: 'too late' }, late);
    assert.deepEqual([refused.status, refused.body['code']], [412, 'precondition_failed']);
    const fresh = { headers: { 'if-match': `"${version + 1}"` } };
    assertStatus(await teams.call(ours.people.owner, 'PUT', path, { name: 'ours' }, fresh), 200);
    assert.equal((await teams.audited('namespace.update', ours.id)).length, 2);
  });

  test('DELETE /namespaces/{id} is for the owner, and only when nothing is in it', async () => {
    const { owner, admin } = ours.people;
    const full = await teams.call(owner, 'DELETE', `/namespaces/${ours.id}`);
    assert.deepEqual([full.status, full.body['code']], [409, 'conflict']);
    const { clients, mappings, domains } = full.body;
    assert.deepEqual({ clients, mappings, domains }, { clients: 2, mappings: 1, domains: 1 });
    const id = await teams.newNamespace(owner, 'short');
    await teams.call(owner, 'PUT', `/namespaces/${id}/members/${admin.userId}`, { role: 'admin' });
    assertStatus(await teams.call(admin, 'DELETE', `/namespaces/${id}`), 403);
    const client = await made(
      teams.call(admin, 'POST', '/clients', { client_name: 'short', namespace_id: id }),
      'client_id',
    );
    assertStatus(await teams.call(owner, 'DELETE', `/namespaces/${id}`), 409);
    assertStatus(await teams.call(admin, 'DELETE', `/clients/${client}`), 204);
    const late = { headers: { 'if-match': '"1"' } };
    assertStatus(await teams.call(owner, 'DELETE', `/namespaces/${id}`, undefined, late), 412);
    assertStatus(await teams.call(owner, 'DELETE', `/namespaces/${id}`), 204);
    assertStatus(await teams.call(owner, 'DELETE', `/namespaces/${id}`), 404);
    assertStatus(await teams.call(admin, 'GET', `/namespaces/${id}`), 404);
    assert.deepEqual((await teams.call(admin, 'GET', '/me')).body['namespaces'], [
      { namespace_id: ours.id, role: 'admin' },
    ]);
    assert.equal((await teams.audited('namespace.delete', id)).length, 1);
  });

  test('a client that is made while its team is deleted: one of the two happens', async () => {
    const owner = await stack.newUser('racer', 'enterprise');
    for (let round = 0; round < 8; round += 1) {
      const id = await teams.newNamespace(owner, `race ${round}`);
      const [client, deleted] = await Promise.all([
        teams.call(owner, 'POST', '/clients', { client_name: 'racing', namespace_id: id }),
        teams.call(owner, 'DELETE', `/namespaces/${id}`),
      ]);
      const outcome = [client.status, deleted.status].join(' ');
      assert.ok(['201 409', '404 204'].includes(outcome), outcome);
    }
  });
});

describe('members', () => {
  test('owner and admins add, change and send away; each change is noted and raises the version', async () => {
    const { owner, admin, member, viewer } = ours.people;
    const guest = await stack.newUser('guest');
    const path = `/namespaces/${ours.id}/members/${guest.userId}`;
    const versionOf = async () => (await teams.call(owner, 'GET', `/namespaces/${ours.id}`)).body['version'] as number;
    const before = await versionOf();
    for (const person of [member, viewer]) assertStatus(await teams.call(person, 'PUT', path, { role: 'viewer' }), 403);
    const added = await teams.call(admin, 'PUT', path, { role: 'viewer' });
    assert.deepEqual([added.status, added.body['username'], added.body['role']], [200, 'guest', 'viewer']);
    assertStatus(await teams.call(admin, 'PUT', path, { role: 'viewer' }), 200, 'again');
    assertStatus(await teams.call(owner, 'PUT', path, { role: 'member' }), 200);
    assert.equal(await versionOf(), before + 2, 'the same role again is no change');
    for (const person of [member, viewer]) assertStatus(await teams.call(person, 'DELETE', path), 403);
    assertStatus(await teams.call(admin, 'DELETE', path), 204);
    assertStatus(await teams.call(admin, 'DELETE', path), 404);
    assert.equal(await versionOf(), before + 3);
    const puts = await teams.audited('namespace.put_member', ours.id);
    assert.deepEqual(
      puts.slice(-2).map(({ actor_id, after: what }) => [actor_id, what]),
      [
        [admin.userId, { user_id: guest.userId, role: 'viewer' }],
        [owner.userId, { user_id: guest.userId, role: 'member' }],
      ],
    );
    assert.equal((await teams.audited('namespace.remove_member', ours.id)).length, 1);
    assertStatus(await teams.call(owner, 'PUT', `/namespaces/${ours.id}/members/1`, { role: 'viewer' }), 404);
    assertStatus(await teams.call(owner, 'PUT', path, { role: 'owner' }), 422);
    assertStatus(await stack.asOperator('PUT', path, { role: 'viewer' }), 200, 'an operator');
    assertStatus(await stack.asOperator('DELETE', path), 204);
    assertStatus(await stack.asOperator('PUT', `/namespaces/999999/members/${guest.userId}`, { role: 'viewer' }), 404);
  });

  test('the owner stays, whoever asks', async () => {
    const { owner, admin } = ours.people;
    const path = `/namespaces/${ours.id}/members/${owner.userId}`;
    for (const person of [owner, admin]) {
      for (const [method, body] of [['PUT', { role: 'viewer' }], ['DELETE']] as const) {
        const answer = await teams.call(person, method, path, body);
        assert.deepEqual([answer.status, answer.body['code']], [409, 'conflict'], method);
      }
    }
    assertStatus(await stack.asOperator('DELETE', path), 409);
    const members = await teams.call(owner, 'GET', `/namespaces/${ours.id}/members?limit=2`);
    assert.deepEqual([members.body['total'], members.body['members'].length], [4, 2]);
    assert.notEqual(members.body['next_cursor'], null);
  });

  test('who leaves or is sent away has no access from that moment, nor with what it held before', async () => {
    const { owner } = ours.people;
    const made2 = await stack.asOperator('POST', '/users', {
      ...{ username: 'passing', email: 'passing@customer.example', password: PASSWORD, plan: 'pro' },
    });
    const userId = made2.body['user_id'] as number;
    const login = await stack.call('POST', '/auth/login', { body: { login: 'passing', password: PASSWORD } });
    const key = await stack.asOperator('POST', `/users/${userId}/api-keys`, {});
    const credentials = [login.body['access_token'], key.body['api_key']] as string[];
    const member = `/namespaces/${ours.id}/members/${userId}`;
    for (const leaves of [true, false]) {
      await teams.call(owner, 'PUT', member, { role: 'viewer' });
      for (const token of credentials) {
        for (const path of readsOf(ours)) assertStatus(await stack.call('GET', path, { token }), 200, path);
      }
      assertStatus(
        leaves
          ? await stack.call('DELETE', member, { token: credentials[0] })
          : await teams.call(owner, 'DELETE', member),
        204,
      );
      for (const token of credentials) {
        for (const path of readsOf(ours)) assertStatus(await stack.call('GET', path, { token }), 404, path);
        assertStatus(await stack.call('DELETE', member, { token }), 404);
        assert.equal((await stack.call('GET', '/clients', { token })).body['total'], 0);
      }
    }
    assert.equal((await teams.audited('namespace.leave', ours.id)).length, 1);
  });

  test('a role counts from the moment in which it is given', async () => {
    const { owner, member } = ours.people;
    const path = `/namespaces/${ours.id}/members/${member.userId}`;
    const change = () => teams.call(member, 'PUT', `/clients/${ours.clientId}`, { client_name: 'changed' });
    await teams.call(owner, 'PUT', path, { role: 'viewer' });
    assertStatus(await change(), 403);
    await teams.call(owner, 'PUT', path, { role: 'member' });
    assertStatus(await change(), 200);
  });

  test('an area of scopes opens teams, and only they', async () => {
    const { owner } = ours.people;
    const key = async (scopes: string[]): Promise<Person> => ({
      userId: owner.userId,
      token: (await teams.call(owner, 'POST', `/users/${owner.userId}/api-keys`, { scopes })).body['api_key'] as string,
    });
    const [reader, others] = [await key(['namespaces:read']), await key(['clients:read', 'clients:write'])];
    assertStatus(await teams.call(reader, 'GET', `/namespaces/${ours.id}`), 200);
    assertStatus(await teams.call(reader, 'PUT', `/namespaces/${ours.id}`, { name: 'x' }), 403);
    assertStatus(await teams.call(reader, 'GET', `/clients/${ours.clientId}`), 403);
    assertStatus(await teams.call(others, 'GET', `/namespaces/${ours.id}/members`), 403);
    assertStatus(await teams.call(others, 'GET', `/clients/${ours.clientId}`), 200);
  });
});

describe('users that end', () => {
  test('take their teams with them, and leave those of others', async () => {
    const [owner, friend] = [await stack.newUser('goner'), await stack.newUser('friend')];
    const [own, other] = [await teams.newNamespace(owner, 'own'), await teams.newNamespace(friend, 'other')];
    await teams.call(owner, 'PUT', `/namespaces/${own}/members/${friend.userId}`, { role: 'admin' });
    await teams.call(friend, 'PUT', `/namespaces/${other}/members/${owner.userId}`, { role: 'admin' });
    const shared = await made(
      teams.call(friend, 'POST', '/clients', { client_name: 'shared', namespace_id: own }),
      'client_id',
    );
    const kept = await made(
      teams.call(owner, 'POST', '/clients', { client_name: 'kept', namespace_id: other }),
      'client_id',
    );
    const name = await teams.call(friend, 'POST', '/domains', {
      client_id: shared,
      subdomain: 'goners-name',
      target_port: 1,
    });
    assertStatus(name, 201);
    const version = (await teams.call(friend, 'GET', `/namespaces/${other}`)).body['version'] as number;
    assertStatus(await stack.asOperator('DELETE', `/users/${owner.userId}`), 204);
    assertStatus(await teams.call(friend, 'GET', `/namespaces/${own}`), 404);
    assertStatus(await teams.call(friend, 'GET', `/clients/${shared}`), 404);
    assertStatus(await stack.asOperator('GET', `/clients/${shared}`), 404);
    assertStatus(await stack.asOperator('GET', `/namespaces/${own}`), 404);
    assertStatus(
      await teams.call(friend, 'GET', `/clients/${kept}`),
      200,
      "it was the other team's from the beginning",
    );
    const left = await teams.call(friend, 'GET', `/namespaces/${other}`);
    assert.deepEqual([left.body['members'], left.body['version']], [1, version + 1]);
    const { rows } = await stack.database.query('select 1 from memberships where user_id = $1', [owner.userId]);
    assert.equal(rows.length, 0);
    assertStatus(
      await teams.call(friend, 'PUT', `/namespaces/${other}/members/${owner.userId}`, { role: 'viewer' }),
      404,
    );
  });

  test('while an owner is disabled its teams are closed to all', async () => {
    const [owner, friend] = [await stack.newUser('pauser'), await stack.newUser('waiter')];
    const id = await teams.newNamespace(owner, 'paused');
    await teams.call(owner, 'PUT', `/namespaces/${id}/members/${friend.userId}`, { role: 'admin' });
    const client = await made(
      teams.call(friend, 'POST', '/clients', { client_name: 'c', namespace_id: id }),
      'client_id',
    );
    await stack.asOperator('PUT', `/users/${owner.userId}`, { status: 'disabled' });
    for (const path of [`/namespaces/${id}`, `/clients/${client}`]) {
      assertStatus(await teams.call(friend, 'GET', path), 404, path);
      assertStatus(await stack.asOperator('GET', path), 200, path);
    }
    await stack.asOperator('PUT', `/users/${owner.userId}`, { status: 'active' });
    assertStatus(await teams.call(friend, 'GET', `/clients/${client}`), 200);
  });
});
