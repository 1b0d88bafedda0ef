import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Answer, type CallOptions, TestStack } from './test-stack.ts';

type Role = 'owner' | 'admin' | 'member' | 'viewer';

interface Person {
  userId: number;
  token: string;
}

/** A team with one of each role, and something of everything in it. */
interface Team {
  id: number;
  people: Record<Role, Person>;
  clientId: number;
  otherClientId: number;
  mappingId: number;
  domainId: number;
  host: string;
}

const PASSWORD = 'correct horse battery';
const ROLES: Role[] = ['owner', 'admin', 'member', 'viewer'];

let stack: TestStack;
let ours: Team;
let theirs: Team;
before(async () => {
  stack = await TestStack.start();
  ours = await team('ours');
  theirs = await team('theirs');
});
after(() => stack.stop());

const call = (person: Person, method: string, path: string, body?: unknown, more: CallOptions = {}) =>
  stack.call(method, path, { token: person.token, body, ...more });

function assertStatus({ status, body }: Answer, expected: number, what = ''): void {
  assert.equal(status, expected, `${what} ${JSON.stringify(body)}`);
}

async function made(answer: Promise<Answer>, id: string): Promise<number> {
  const { status, body } = await answer;
  assert.equal(status, 201, JSON.stringify(body));
  return body[id] as number;
}

const newNamespace = (owner: Person, name: string) =>
  made(call(owner, 'POST', '/namespaces', { name }), 'namespace_id');

async function team(name: string): Promise<Team> {
  const people = {} as Record<Role, Person>;
  for (const role of ROLES) people[role] = await stack.newUser(`${name}-${role}`);
  const id = await newNamespace(people.owner, name);
  for (const role of ROLES.slice(1)) {
    const put = await call(people.owner, 'PUT', `/namespaces/${id}/members/${people[role].userId}`, { role });
    assert.deepEqual([put.status, put.body['role']], [200, role]);
  }
  // By a member, not by its owner: both have the same right.
  const newClient = (client_name: string) =>
    made(call(people.member, 'POST', '/clients', { client_name, namespace_id: id }), 'client_id');
  const [clientId, otherClientId] = [await newClient(`${name}-a`), await newClient(`${name}-b`)];
  const mappingId = await made(
    call(people.member, 'POST', '/mappings', {
      ...{ source_client_id: otherClientId, target_client_id: clientId, local_port: 2222 },
      ...{ target_host: `${name}-target.internal`, target_port: 22 },
    }),
    'mapping_id',
  );
  const domain = await call(people.member, 'POST', '/domains', {
    ...{ client_id: clientId, subdomain: `${name}-name`, target_host: `${name}-web.internal`, target_port: 80 },
  });
  const domainId = await made(Promise.resolve(domain), 'domain_id');
  return { id, people, clientId, otherClientId, mappingId, domainId, host: domain.body['full_domain'] as string };
}

/** What the team has, as rows; without what a look at it changes. */
async function stored({ id }: Team): Promise<string> {
  const { rows } = await stack.database.query<{ all: unknown }>(
    `select jsonb_build_array(
       (select jsonb_agg(to_jsonb(n)) from namespaces n where namespace_id = $1),
       (select jsonb_agg(to_jsonb(s) order by user_id) from memberships s where namespace_id = $1),
       (select jsonb_agg(to_jsonb(c) order by client_id) from clients c where namespace_id = $1),
       (select jsonb_agg(to_jsonb(m) order by mapping_id) from port_mappings m where namespace_id = $1),
       (select jsonb_agg(to_jsonb(d) order by id) from http_domain_mappings d where namespace_id = $1)) as all`,
    [id],
  );
  return JSON.stringify(rows[0]?.all);
}

async function audited(
  action: string,
  objectId: number,
): Promise<{ actor_id: number; user_id: number; after: object }[]> {
  const { rows } = await stack.database.query(
    `select actor_id::int, user_id::int, before, after from audit_log where action = $1 and object_id = $2 order by id`,
    [action, String(objectId)],
  );
  return rows as { actor_id: number; user_id: number; after: object }[];
}

/** Reads of everything in a team. */
const readsOf = ({ id, clientId, mappingId, domainId, host }: Team): string[] => [
  `/namespaces/${id}`,
  `/namespaces/${id}/members`,
  `/clients/${clientId}`,
  `/clients/${clientId}/mappings`,
  `/mappings/${mappingId}`,
  `/domains/${domainId}`,
  `/domains/lookup?host=${host}`,
];

/** Changes of everything in a team that leave it as it is when they are refused. */
const changesOf = ({ id, clientId, otherClientId, mappingId, domainId }: Team): [string, string, unknown?][] => [
  ['POST', '/clients', { client_name: 'x', namespace_id: id }],
  ['PUT', `/clients/${clientId}`, { client_name: 'x' }],
  ['POST', `/clients/${clientId}/disconnect`],
  ['POST', `/clients/${clientId}/rotate-code`],
  ['DELETE', `/clients/${clientId}`],
  ['POST', '/mappings', { source_client_id: otherClientId, target_client_id: clientId, local_port: 1, target_port: 1 }],
  ['PUT', `/mappings/${mappingId}`, { target_host: 'evil.internal' }],
  ['DELETE', `/mappings/${mappingId}`],
  ['POST', '/domains', { client_id: clientId, target_port: 1 }],
  ['PUT', `/domains/${domainId}`, { target_host: 'evil.internal' }],
  ['DELETE', `/domains/${domainId}`],
];

/** Changes of the team itself. */
const teamChangesOf = ({ id, people }: Team): [string, string, unknown?][] => [
  ['PUT', `/namespaces/${id}`, { name: 'taken over' }],
  ['PUT', `/namespaces/${id}/members/${people.member.userId}`, { role: 'admin' }],
  ['DELETE', `/namespaces/${id}/members/${people.member.userId}`],
  ['DELETE', `/namespaces/${id}`],
];

describe('what is in a team', () => {
  test('every member sees it, with the owner as the one who pays', async () => {
    for (const role of ROLES) {
      const person = ours.people[role];
      for (const path of readsOf(ours)) assertStatus(await call(person, 'GET', path), 200, `${role} ${path}`);
      const client = await call(person, 'GET', `/clients/${ours.clientId}`);
      assert.deepEqual([client.body['user_id'], client.body['namespace_id']], [ours.people.owner.userId, ours.id]);
      const me = await call(person, 'GET', '/me');
      assert.deepEqual(me.body['namespaces'], [{ namespace_id: ours.id, role }]);
      for (const [list, id, count] of [
        ['clients', 'client_id', 2],
        ['mappings', 'mapping_id', 1],
        ['domains', 'domain_id', 1],
        ['routes', 'endpoint', 1],
      ] as const) {
        const { body } = await call(person, 'GET', `/${list}`);
        assert.equal(body['total'], count, `${role} ${list}`);
        assert.equal(new Set((body[list] as Record<string, unknown>[]).map((one) => one[id])).size, count);
      }
    }
  });

  test('nobody else sees or changes anything of it', async () => {
    const unchanged = await stored(ours);
    const stranger = await stack.newUser('stranger');
    for (const person of [stranger, ...ROLES.map((role) => theirs.people[role])]) {
      for (const path of readsOf(ours)) assertStatus(await call(person, 'GET', path), 404, path);
      for (const [method, path, body] of [...changesOf(ours), ...teamChangesOf(ours)]) {
        assertStatus(await call(person, method, path, body), 404, `${method} ${path}`);
      }
      for (const list of ['clients', 'mappings', 'domains', 'routes', 'namespaces']) {
        const text = JSON.stringify((await call(person, 'GET', `/${list}`)).body);
        for (const mark of ['ours', String(ours.clientId)]) assert.ok(!text.includes(mark), `${list} ${text}`);
      }
      for (const list of ['clients', 'mappings', 'domains']) {
        assert.equal((await call(person, 'GET', `/${list}?namespace_id=${ours.id}`)).body['total'], 0);
        assert.equal((await call(person, 'GET', `/${list}?user_id=${ours.people.owner.userId}`)).body['total'], 0);
      }
    }
    assert.equal(await stored(ours), unchanged);
  });

  test('viewers look and change nothing; members, admins and the owner change', async () => {
    const unchanged = await stored(ours);
    for (const [method, path, body] of changesOf(ours)) {
      const answer = await call(ours.people.viewer, method, path, body);
      assert.deepEqual([answer.status, answer.body['code']], [403, 'forbidden'], `${method} ${path}`);
    }
    assert.equal(await stored(ours), unchanged);
    for (const role of ['member', 'admin', 'owner'] as const) {
      const person = ours.people[role];
      const host = `${role}.internal`;
      const mapping = await call(person, 'PUT', `/mappings/${ours.mappingId}`, { target_host: host });
      assert.deepEqual([mapping.status, mapping.body['target_host']], [200, host]);
      assertStatus(await call(person, 'PUT', `/domains/${ours.domainId}`, { target_host: host }), 200);
      assertStatus(await call(person, 'PUT', `/clients/${ours.clientId}`, { client_name: role }), 200);
      const [last] = (await audited('mapping.update', ours.mappingId)).slice(-1);
      assert.deepEqual([last?.actor_id, last?.user_id], [person.userId, ours.people.owner.userId]);
    }
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
    const me = await call(agent, 'GET', '/me');
    assert.deepEqual(me.body['namespaces'], [{ namespace_id: ours.id, role: 'member' }]);
    for (const [method, path, body] of [
      ['GET', '/namespaces'],
      ['GET', `/namespaces/${ours.id}`],
      ['POST', '/namespaces', { name: 'x' }],
      ...teamChangesOf(ours),
    ] as [string, string, unknown?][]) {
      assertStatus(await call(agent, method, path, body), 403, `${method} ${path}`);
    }
    // Its own team and no other.
    const elsewhere = { client_id: theirs.clientId, target_port: 1 };
    assertStatus(await call(agent, 'POST', '/domains', elsewhere), 404);
  });

  test('nothing crosses the border of two teams, nor of a team and its owner alone', async () => {
    const { owner, member } = ours.people;
    const alone = await made(call(owner, 'POST', '/clients', { client_name: 'mine alone' }), 'client_id');
    assertStatus(await call(member, 'GET', `/clients/${alone}`), 404);
    const second = await newNamespace(owner, 'second');
    const elsewhere = await made(
      call(owner, 'POST', '/clients', { client_name: 'second', namespace_id: second }),
      'client_id',
    );
    assertStatus(await call(member, 'GET', `/clients/${elsewhere}`), 404);
    for (const foreign of [alone, elsewhere]) {
      const mapping = { source_client_id: foreign, target_client_id: ours.clientId, local_port: 3, target_port: 3 };
      assertStatus(await call(owner, 'POST', '/mappings', mapping), 404, 'a mapping from outside');
      const given = await call(owner, 'PUT', `/domains/${ours.domainId}`, { client_id: foreign });
      assert.ok([404, 422].includes(given.status), `a name given away: ${given.status}`);
      const upstreams = [{ client_id: ours.clientId }, { client_id: foreign }];
      const shared = await call(owner, 'POST', '/domains', { upstreams, target_port: 1 });
      assert.ok([404, 422].includes(shared.status), `a name of both: ${shared.status}`);
    }
    const wrongOwner = { client_name: 'x', namespace_id: ours.id, user_id: theirs.people.owner.userId };
    assertStatus(await call(member, 'POST', '/clients', wrongOwner), 404);
    assertStatus(await stack.asOperator('POST', '/clients', wrongOwner), 404, 'nor for operators');
    const filtered = async (query: string) =>
      ((await call(owner, 'GET', `/clients?${query}`)).body['clients'] as { client_id: number }[]).map(
        ({ client_id }) => client_id,
      );
    assert.deepEqual(await filtered(`namespace_id=${second}`), [elsewhere]);
    assert.deepEqual(await filtered(`namespace_id=${ours.id}`), [ours.clientId, ours.otherClientId]);
    assert.ok((await filtered('limit=100')).includes(alone));
    for (const list of ['mappings', 'domains']) {
      assert.equal((await call(owner, 'GET', `/${list}?namespace_id=${ours.id}`)).body['total'], 1);
      assert.equal((await call(owner, 'GET', `/${list}?namespace_id=${second}`)).body['total'], 0);
    }
  });

  test("counts on its owner's quota, whoever makes it", async () => {
    const owner = await stack.newUser('small-owner', 'free');
    const rich = await stack.newUser('rich-member', 'enterprise');
    const id = await newNamespace(owner, 'small');
    await call(owner, 'PUT', `/namespaces/${id}/members/${rich.userId}`, { role: 'member' });
    const quota = async (person: Person) =>
      (await call(person, 'GET', `/users/${person.userId}/quota`)).body as Record<string, number>;
    const { max_clients: most = 0 } = await quota(owner);
    assert.ok(most >= 1 && most < 10);
    const body = { client_name: 'shared', namespace_id: id };
    const answers = await Promise.all(Array.from({ length: most + 3 }, () => call(rich, 'POST', '/clients', body)));
    assert.equal(answers.filter(({ status }) => status === 201).length, most);
    const refused = answers.filter(({ status }) => status === 403);
    assert.equal(refused.length, 3);
    assert.deepEqual([refused[0]?.body['code'], refused[0]?.body['limit']], ['quota_exceeded', most]);
    assert.equal((await quota(owner))['current_clients'], most);
    assert.equal((await quota(rich))['current_clients'], 0);
  });
});

describe('teams', () => {
  test('have a name, an owner, counts and a version', async () => {
    const { status, body, headers } = await call(ours.people.viewer, 'GET', `/namespaces/${ours.id}`);
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
    const first = await call(owner, 'POST', '/namespaces', { name: '  Workshop ' });
    assert.deepEqual([first.status, first.body['name'], first.body['role']], [201, 'Workshop', 'owner']);
    assert.deepEqual(await audited('namespace.create', first.body['namespace_id'] as number), [
      { actor_id: owner.userId, user_id: owner.userId, before: null, after: { name: 'Workshop' } },
    ]);
    const again = await call(owner, 'POST', '/namespaces', { name: 'workSHOP' });
    assert.deepEqual([again.status, again.body['code']], [409, 'conflict']);
    assertStatus(await call(ours.people.owner, 'POST', '/namespaces', { name: 'Workshop' }), 201, 'of another owner');
    for (const name of ['', '   ', 'x'.repeat(65)]) {
      assertStatus(await call(owner, 'POST', '/namespaces', { name }), 422);
    }
    assertStatus(await call(owner, 'POST', '/namespaces', { name: 'x', user_id: ours.people.owner.userId }), 404);
    assertStatus(await stack.asOperator('POST', '/namespaces', { name: 'x' }), 422);
    assertStatus(await stack.asOperator('POST', '/namespaces', { name: 'x', user_id: 1 }), 404);
    const byOperator = await stack.asOperator('POST', '/namespaces', { name: 'x', user_id: owner.userId });
    assert.deepEqual([byOperator.status, byOperator.body['role']], [201, null]);
    assert.equal((await call(owner, 'GET', '/namespaces')).body['total'], 2);

    await stack.database.query(
      `insert into namespaces (user_id, name) select $1, 'n' || n from generate_series(1, 97) n`,
      [owner.userId],
    );
    const last = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => call(owner, 'POST', '/namespaces', { name: `last ${name}` })),
    );
    assert.equal(last.filter(({ status }) => status === 201).length, 1, 'the hundredth');
    for (const { status, body } of last.filter((one) => one.status !== 201)) {
      assert.deepEqual([status, body['code'], body['limit']], [403, 'quota_exceeded', 100]);
    }
  });

  test('GET /namespaces lists those in which one is, page by page; operators see all', async () => {
    const person = await stack.newUser('lister');
    const ids: number[] = [];
    for (let i = 0; i < 5; i += 1) ids.push(await newNamespace(person, `list ${i}`));
    const [hidden] = ids.splice(4);
    await call(person, 'DELETE', `/namespaces/${hidden}`);
    const seen: number[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Answer = await call(person, 'GET', `/namespaces?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
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
    const { version } = (await call(ours.people.owner, 'GET', path)).body as { version: number };
    const renamed = await call(ours.people.admin, 'PUT', path, { name: 'ours too' });
    assert.deepEqual([renamed.status, renamed.body['name']], [200, 'ours too']);
    assert.equal(renamed.headers.get('etag'), `"${version + 1}"`);
    for (const role of ['member', 'viewer'] as const) {
      assertStatus(await call(ours.people[role], 'PUT', path, { name: 'x' }), 403, role);
    }
    const late = { headers: { 'if-match': `"${version}"` } };
    const refused = await call(ours.people.owner, 'PUT', path, { name: 'too late' }, late);
    assert.deepEqual([refused.status, refused.body['code']], [412, 'precondition_failed']);
    const fresh = { headers: { 'if-match': `"${version + 1}"` } };
    assertStatus(await call(ours.people.owner, 'PUT', path, { name: 'ours' }, fresh), 200);
    assert.equal((await audited('namespace.update', ours.id)).length, 2);
  });

  test('DELETE /namespaces/{id} is for the owner, and only when nothing is in it', async () => {
    const { owner, admin } = ours.people;
    const full = await call(owner, 'DELETE', `/namespaces/${ours.id}`);
    assert.deepEqual([full.status, full.body['code']], [409, 'conflict']);
    const { clients, mappings, domains } = full.body;
    assert.deepEqual({ clients, mappings, domains }, { clients: 2, mappings: 1, domains: 1 });
    const id = await newNamespace(owner, 'short');
    await call(owner, 'PUT', `/namespaces/${id}/members/${admin.userId}`, { role: 'admin' });
    assertStatus(await call(admin, 'DELETE', `/namespaces/${id}`), 403);
    const client = await made(call(admin, 'POST', '/clients', { client_name: 'short', namespace_id: id }), 'client_id');
    assertStatus(await call(owner, 'DELETE', `/namespaces/${id}`), 409);
    assertStatus(await call(admin, 'DELETE', `/clients/${client}`), 204);
    const late = { headers: { 'if-match': '"1"' } };
    assertStatus(await call(owner, 'DELETE', `/namespaces/${id}`, undefined, late), 412);
    assertStatus(await call(owner, 'DELETE', `/namespaces/${id}`), 204);
    assertStatus(await call(owner, 'DELETE', `/namespaces/${id}`), 404);
    assertStatus(await call(admin, 'GET', `/namespaces/${id}`), 404);
    assert.deepEqual((await call(admin, 'GET', '/me')).body['namespaces'], [{ namespace_id: ours.id, role: 'admin' }]);
    assert.equal((await audited('namespace.delete', id)).length, 1);
  });

  test('a client that is made while its team is deleted: one of the two happens', async () => {
    const owner = await stack.newUser('racer', 'enterprise');
    for (let round = 0; round < 8; round += 1) {
      const id = await newNamespace(owner, `race ${round}`);
      const [client, deleted] = await Promise.all([
        call(owner, 'POST', '/clients', { client_name: 'racing', namespace_id: id }),
        call(owner, 'DELETE', `/namespaces/${id}`),
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
    const versionOf = async () => (await call(owner, 'GET', `/namespaces/${ours.id}`)).body['version'] as number;
    const before = await versionOf();
    for (const person of [member, viewer]) assertStatus(await call(person, 'PUT', path, { role: 'viewer' }), 403);
    const added = await call(admin, 'PUT', path, { role: 'viewer' });
    assert.deepEqual([added.status, added.body['username'], added.body['role']], [200, 'guest', 'viewer']);
    assertStatus(await call(admin, 'PUT', path, { role: 'viewer' }), 200, 'again');
    assertStatus(await call(owner, 'PUT', path, { role: 'member' }), 200);
    assert.equal(await versionOf(), before + 2, 'the same role again is no change');
    for (const person of [member, viewer]) assertStatus(await call(person, 'DELETE', path), 403);
    assertStatus(await call(admin, 'DELETE', path), 204);
    assertStatus(await call(admin, 'DELETE', path), 404);
    assert.equal(await versionOf(), before + 3);
    const puts = await audited('namespace.put_member', ours.id);
    assert.deepEqual(
      puts.slice(-2).map(({ actor_id, after: what }) => [actor_id, what]),
      [
        [admin.userId, { user_id: guest.userId, role: 'viewer' }],
        [owner.userId, { user_id: guest.userId, role: 'member' }],
      ],
    );
    assert.equal((await audited('namespace.remove_member', ours.id)).length, 1);
    assertStatus(await call(owner, 'PUT', `/namespaces/${ours.id}/members/1`, { role: 'viewer' }), 404);
    assertStatus(await call(owner, 'PUT', path, { role: 'owner' }), 422);
    assertStatus(await stack.asOperator('PUT', path, { role: 'viewer' }), 200, 'an operator');
    assertStatus(await stack.asOperator('DELETE', path), 204);
    assertStatus(await stack.asOperator('PUT', `/namespaces/999999/members/${guest.userId}`, { role: 'viewer' }), 404);
  });

  test('the owner stays, whoever asks', async () => {
    const { owner, admin } = ours.people;
    const path = `/namespaces/${ours.id}/members/${owner.userId}`;
    for (const person of [owner, admin]) {
      for (const [method, body] of [['PUT', { role: 'viewer' }], ['DELETE']] as const) {
        const answer = await call(person, method, path, body);
        assert.deepEqual([answer.status, answer.body['code']], [409, 'conflict'], method);
      }
    }
    assertStatus(await stack.asOperator('DELETE', path), 409);
    const members = await call(owner, 'GET', `/namespaces/${ours.id}/members?limit=2`);
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
      await call(owner, 'PUT', member, { role: 'viewer' });
      for (const token of credentials) {
        for (const path of readsOf(ours)) assertStatus(await stack.call('GET', path, { token }), 200, path);
      }
      assertStatus(
        leaves ? await stack.call('DELETE', member, { token: credentials[0] }) : await call(owner, 'DELETE', member),
        204,
      );
      for (const token of credentials) {
        for (const path of readsOf(ours)) assertStatus(await stack.call('GET', path, { token }), 404, path);
        assertStatus(await stack.call('DELETE', member, { token }), 404);
        assert.equal((await stack.call('GET', '/clients', { token })).body['total'], 0);
      }
    }
    assert.equal((await audited('namespace.leave', ours.id)).length, 1);
  });

  test('a role counts from the moment in which it is given', async () => {
    const { owner, member } = ours.people;
    const path = `/namespaces/${ours.id}/members/${member.userId}`;
    const change = () => call(member, 'PUT', `/clients/${ours.clientId}`, { client_name: 'changed' });
    await call(owner, 'PUT', path, { role: 'viewer' });
    assertStatus(await change(), 403);
    await call(owner, 'PUT', path, { role: 'member' });
    assertStatus(await change(), 200);
  });

  test('an area of scopes opens teams, and only they', async () => {
    const { owner } = ours.people;
    const key = async (scopes: string[]): Promise<Person> => ({
      userId: owner.userId,
      token: (await call(owner, 'POST', `/users/${owner.userId}/api-keys`, { scopes })).body['api_key'] as string,
    });
    const [teams, others] = [await key(['namespaces:read']), await key(['clients:read', 'clients:write'])];
    assertStatus(await call(teams, 'GET', `/namespaces/${ours.id}`), 200);
    assertStatus(await call(teams, 'PUT', `/namespaces/${ours.id}`, { name: 'x' }), 403);
    assertStatus(await call(teams, 'GET', `/clients/${ours.clientId}`), 403);
    assertStatus(await call(others, 'GET', `/namespaces/${ours.id}/members`), 403);
    assertStatus(await call(others, 'GET', `/clients/${ours.clientId}`), 200);
  });
});

describe('users that end', () => {
  test('take their teams with them, and leave those of others', async () => {
    const [owner, friend] = [await stack.newUser('goner'), await stack.newUser('friend')];
    const [own, other] = [await newNamespace(owner, 'own'), await newNamespace(friend, 'other')];
    await call(owner, 'PUT', `/namespaces/${own}/members/${friend.userId}`, { role: 'admin' });
    await call(friend, 'PUT', `/namespaces/${other}/members/${owner.userId}`, { role: 'admin' });
    const shared = await made(
      call(friend, 'POST', '/clients', { client_name: 'shared', namespace_id: own }),
      'client_id',
    );
    const kept = await made(call(owner, 'POST', '/clients', { client_name: 'kept', namespace_id: other }), 'client_id');
    const name = await call(friend, 'POST', '/domains', {
      client_id: shared,
      subdomain: 'goners-name',
      target_port: 1,
    });
    assertStatus(name, 201);
    const version = (await call(friend, 'GET', `/namespaces/${other}`)).body['version'] as number;
    assertStatus(await stack.asOperator('DELETE', `/users/${owner.userId}`), 204);
    assertStatus(await call(friend, 'GET', `/namespaces/${own}`), 404);
    assertStatus(await call(friend, 'GET', `/clients/${shared}`), 404);
    assertStatus(await stack.asOperator('GET', `/clients/${shared}`), 404);
    assertStatus(await stack.asOperator('GET', `/namespaces/${own}`), 404);
    assertStatus(await call(friend, 'GET', `/clients/${kept}`), 200, "it was the other team's from the beginning");
    const left = await call(friend, 'GET', `/namespaces/${other}`);
    assert.deepEqual([left.body['members'], left.body['version']], [1, version + 1]);
    const { rows } = await stack.database.query('select 1 from memberships where user_id = $1', [owner.userId]);
    assert.equal(rows.length, 0);
    assertStatus(await call(friend, 'PUT', `/namespaces/${other}/members/${owner.userId}`, { role: 'viewer' }), 404);
  });

  test('while an owner is disabled its teams are closed to all', async () => {
    const [owner, friend] = [await stack.newUser('pauser'), await stack.newUser('waiter')];
    const id = await newNamespace(owner, 'paused');
    await call(owner, 'PUT', `/namespaces/${id}/members/${friend.userId}`, { role: 'admin' });
    const client = await made(call(friend, 'POST', '/clients', { client_name: 'c', namespace_id: id }), 'client_id');
    await stack.asOperator('PUT', `/users/${owner.userId}`, { status: 'disabled' });
    for (const path of [`/namespaces/${id}`, `/clients/${client}`]) {
      assertStatus(await call(friend, 'GET', path), 404, path);
      assertStatus(await stack.asOperator('GET', path), 200, path);
    }
    await stack.asOperator('PUT', `/users/${owner.userId}`, { status: 'active' });
    assertStatus(await call(friend, 'GET', `/clients/${client}`), 200);
  });
});
