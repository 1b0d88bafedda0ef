import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  assertStatus,
  changesOf,
  made,
  type Person,
  readsOf,
  ROLES,
  type Team,
  teamChangesOf,
  Teams,
} from './teams.ts';
import { BASE_DOMAIN, TestStack } from './test-stack.ts';

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

describe('what is in a team', () => {
  test('every member sees it, with the owner as the one who pays', async () => {
    for (const role of ROLES) {
      const person = ours.people[role];
      for (const path of readsOf(ours)) assertStatus(await teams.call(person, 'GET', path), 200, `${role} ${path}`);
      const client = await teams.call(person, 'GET', `/clients/${ours.clientId}`);
      assert.deepEqual([client.body['user_id'], client.body['namespace_id']], [ours.people.owner.userId, ours.id]);
      const me = await teams.call(person, 'GET', '/me');
      assert.deepEqual(me.body['namespaces'], [{ namespace_id: ours.id, role }]);
      for (const [list, id, count] of [
        ['clients', 'client_id', 2],
        ['mappings', 'mapping_id', 1],
        ['domains', 'domain_id', 1],
        ['routes', 'endpoint', 1],
      ] as const) {
        const { body } = await teams.call(person, 'GET', `/${list}`);
        assert.equal(body['total'], count, `${role} ${list}`);
        assert.equal(new Set((body[list] as Record<string, unknown>[]).map((one) => one[id])).size, count);
      }
    }
  });

  test('nobody else sees or changes anything of it', async () => {
    const unchanged = await teams.stored(ours);
    const stranger = await stack.newUser('stranger');
    for (const person of [stranger, ...ROLES.map((role) => theirs.people[role])]) {
      for (const path of readsOf(ours)) assertStatus(await teams.call(person, 'GET', path), 404, path);
      for (const [method, path, body] of [...changesOf(ours), ...teamChangesOf(ours)]) {
        assertStatus(await teams.call(person, method, path, body), 404, `${method} ${path}`);
      }
      for (const list of ['clients', 'mappings', 'domains', 'routes', 'namespaces']) {
        const text = JSON.stringify((await teams.call(person, 'GET', `/${list}`)).body);
        for (const mark of ['ours', String(ours.clientId)]) assert.ok(!text.includes(mark), `${list} ${text}`);
      }
      for (const list of ['clients', 'mappings', 'domains']) {
        assert.equal((await teams.call(person, 'GET', `/${list}?namespace_id=${ours.id}`)).body['total'], 0);
        assert.equal(
          (await teams.call(person, 'GET', `/${list}?user_id=${ours.people.owner.userId}`)).body['total'],
          0,
        );
      }
    }
    assert.equal(await teams.stored(ours), unchanged);
  });

  test('viewers look and change nothing; members, admins and the owner change', async () => {
    const unchanged = await teams.stored(ours);
    for (const [method, path, body] of changesOf(ours)) {
      const answer = await teams.call(ours.people.viewer, method, path, body);
      assert.deepEqual([answer.status, answer.body['code']], [403, 'forbidden'], `${method} ${path}`);
    }
    assert.equal(await teams.stored(ours), unchanged);
    for (const role of ['member', 'admin', 'owner'] as const) {
      const person = ours.people[role];
      const host = `${role}.internal`;
      const mapping = await teams.call(person, 'PUT', `/mappings/${ours.mappingId}`, { target_host: host });
      assert.deepEqual([mapping.status, mapping.body['target_host']], [200, host]);
      assertStatus(await teams.call(person, 'PUT', `/domains/${ours.domainId}`, { target_host: host }), 200);
      assertStatus(await teams.call(person, 'PUT', `/clients/${ours.clientId}`, { client_name: role }), 200);
      const [last] = (await teams.audited('mapping.update', ours.mappingId)).slice(-1);
      assert.deepEqual([last?.actor_id, last?.user_id], [person.userId, ours.people.owner.userId]);
    }
  });

  test('a route of the team is made and ended by members, and seen by all of them', async () => {
    const { owner, member, viewer } = ours.people;
    const endpoint = `ours-preview.${BASE_DOMAIN}`;
    const route = await teams.call(member, 'POST', '/routes', { endpoint, client_id: ours.clientId, ttl_seconds: 600 });
    assert.deepEqual([route.status, route.body['user_id']], [201, owner.userId], JSON.stringify(route.body));
    assertStatus(await teams.call(viewer, 'GET', `/routes/${endpoint}`), 200);
    assertStatus(await teams.call(viewer, 'DELETE', `/routes/${endpoint}`), 403);
    for (const method of ['GET', 'DELETE']) {
      assertStatus(await teams.call(theirs.people.owner, method, `/routes/${endpoint}`), 404, method);
    }
    assertStatus(await teams.call(member, 'DELETE', `/routes/${endpoint}`), 204);
    assertStatus(await teams.call(viewer, 'GET', `/routes/${endpoint}`), 404);
  });

  test('agents: members open sessions of its clients, viewers and strangers do not', async () => {
    const open = (person: Person) =>
      stack.call('POST', '//agent/v1/session', {
        token: person.token,
        body: { agent_version: 'test', protocol: 1, client_id: ours.clientId },
      });
    for (const role of ['owner', 'admin', 'member'] as const) assertStatus(await open(ours.people[role]), 200, role);
    assertStatus(await open(ours.people.viewer), 403);
    assertStatus(await open(theirs.people.owner), 404);
    const session = await open(ours.people.member);
    const agent = { userId: 0, token: session.body['access_token'] as string };
    const me = await teams.call(agent, 'GET', '/me');
    assert.deepEqual(me.body['namespaces'], [{ namespace_id: ours.id, role: 'member' }]);
    for (const [method, path, body] of [
      ['GET', '/namespaces'],
      ['GET', `/namespaces/${ours.id}`],
      ['POST', '/namespaces', { name: 'x' }],
      ...teamChangesOf(ours),
    ] as [string, string, unknown?][]) {
      assertStatus(await teams.call(agent, method, path, body), 403, `${method} ${path}`);
    }
    // Its own team and no other.
    const elsewhere = { client_id: theirs.clientId, target_port: 1 };
    assertStatus(await teams.call(agent, 'POST', '/domains', elsewhere), 404);
  });

  test('nothing crosses the border of two teams, nor of a team and its owner alone', async () => {
    const { owner, member } = ours.people;
    const alone = await made(teams.call(owner, 'POST', '/clients', { client_name: 'mine alone' }), 'client_id');
    assertStatus(await teams.call(member, 'GET', `/clients/${alone}`), 404);
    const second = await teams.newNamespace(owner, 'second');
    const elsewhere = await made(
      teams.call(owner, 'POST', '/clients', { client_name: 'second', namespace_id: second }),
      'client_id',
    );
    assertStatus(await teams.call(member, 'GET', `/clients/${elsewhere}`), 404);
    for (const foreign of [alone, elsewhere]) {
      const mapping = { source_client_id: foreign, target_client_id: ours.clientId, local_port: 3, target_port: 3 };
      assertStatus(await teams.call(owner, 'POST', '/mappings', mapping), 404, 'a mapping from outside');
      const given = await teams.call(owner, 'PUT', `/domains/${ours.domainId}`, { client_id: foreign });
      assert.ok([404, 422].includes(given.status), `a name given away: ${given.status}`);
      const upstreams = [{ client_id: ours.clientId }, { client_id: foreign }];
      const shared = await teams.call(owner, 'POST', '/domains', { upstreams, target_port: 1 });
      assert.ok([404, 422].includes(shared.status), `a name of both: ${shared.status}`);
    }
    const wrongOwner = { client_name: 'x', namespace_id: ours.id, user_id: theirs.people.owner.userId };
    assertStatus(await teams.call(member, 'POST', '/clients', wrongOwner), 404);
    assertStatus(await stack.asOperator('POST', '/clients', wrongOwner), 404, 'nor for operators');
    const filtered = async (query: string) =>
      ((await teams.call(owner, 'GET', `/clients?${query}`)).body['clients'] as { client_id: number }[]).map(
        ({ client_id }) => client_id,
      );
    assert.deepEqual(await filtered(`namespace_id=${second}`), [elsewhere]);
    assert.deepEqual(await filtered(`namespace_id=${ours.id}`), [ours.clientId, ours.otherClientId]);
    assert.ok((await filtered('limit=100')).includes(alone));
    for (const list of ['mappings', 'domains']) {
      assert.equal((await teams.call(owner, 'GET', `/${list}?namespace_id=${ours.id}`)).body['total'], 1);
      assert.equal((await teams.call(owner, 'GET', `/${list}?namespace_id=${second}`)).body['total'], 0);
    }
  });

  test("counts on its owner's quota, whoever makes it", async () => {
    const owner = await stack.newUser('small-owner', 'free');
    const rich = await stack.newUser('rich-member', 'enterprise');
    const id = await teams.newNamespace(owner, 'small');
    await teams.call(owner, 'PUT', `/namespaces/${id}/members/${rich.userId}`, { role: 'member' });
    const quota = async (person: Person) =>
      (await teams.call(person, 'GET', `/users/${person.userId}/quota`)).body as Record<string, number>;
    const { max_clients: most = 0 } = await quota(owner);
    assert.ok(most >= 1 && most < 10);
    const body = { client_name: 'shared', namespace_id: id };
    const answers = await Promise.all(
      Array.from({ length: most + 3 }, () => teams.call(rich, 'POST', '/clients', body)),
    );
    assert.equal(answers.filter(({ status }) => status === 201).length, most);
    const refused = answers.filter(({ status }) => status === 403);
    assert.equal(refused.length, 3);
    assert.deepEqual([refused[0]?.body['code'], refused[0]?.body['limit']], ['quota_exceeded', most]);
    assert.equal((await quota(owner))['current_clients'], most);
    assert.equal((await quota(rich))['current_clients'], 0);
  });
});
