import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { OPERATOR_KEY, TestStack } from './test-stack.ts';

let stack: TestStack;
let token: string;
let userId: number;
let clientId: number;
let names = 0;

before(async () => {
  stack = await TestStack.start();
  ({ token, userId } = await stack.newUser('careful'));
  clientId = await stack.newClient(token);
});
after(() => stack.stop());

interface Kind {
  /** Makes one. @returns Its path. */
  make: () => Promise<string>;
  /** A change, different each time. */
  change: () => object;
  /** Member that the change has set. */
  shows: string;
}

const KINDS: Record<string, Kind> = {
  user: {
    async make() {
      const user = await stack.newUser(`careful-${(names += 1)}`);
      return `/users/${user.userId}`;
    },
    change: () => ({ username: `renamed-${(names += 1)}` }),
    shows: 'username',
  },
  client: {
    make: async () => `/clients/${await stack.newClient(token, `client ${(names += 1)}`)}`,
    change: () => ({ client_name: `renamed ${(names += 1)}` }),
    shows: 'client_name',
  },
  mapping: {
    async make() {
      const source = await stack.newClient(token);
      const made = await stack.call('POST', '/mappings', {
        token,
        body: {
          source_client_id: source,
          target_client_id: clientId,
          target_port: 22,
          local_port: 1000 + (names += 1),
        },
      });
      assert.equal(made.status, 201);
      assert.equal(made.headers.get('etag'), `"${made.body['version']}"`);
      return `/mappings/${made.body['mapping_id']}`;
    },
    change: () => ({ name: `renamed ${(names += 1)}` }),
    shows: 'name',
  },
  domain: {
    async make() {
      const made = await stack.call('POST', '/domains', {
        token,
        body: { client_id: clientId, subdomain: `careful-${(names += 1)}`, target_port: 80 },
      });
      assert.equal(made.status, 201);
      assert.equal(made.headers.get('etag'), `"${made.body['version']}"`);
      return `/domains/${made.body['domain_id']}`;
    },
    change: () => ({ target_port: 1000 + (names += 1) }),
    shows: 'target_port',
  },
};

const put = (path: string, body: object, ifMatch?: string) =>
  stack.call('PUT', path, {
    token: path.startsWith('/users') ? OPERATOR_KEY : token,
    body,
    headers: ifMatch === undefined ? {} : { 'if-match': ifMatch },
  });

const read = (path: string) => stack.asOperator('GET', path);

for (const [kind, { make, change, shows }] of Object.entries(KINDS)) {
  test(`a ${kind} tells its version in ETag, and another one after each change`, async () => {
    const path = await make();
    const first = await read(path);
    assert.equal(first.headers.get('etag'), `"${first.body['version']}"`);
    assert.equal((await read(path)).headers.get('etag'), first.headers.get('etag'));
    const changed = await put(path, change());
    assert.equal(changed.status, 200);
    assert.notEqual(changed.headers.get('etag'), first.headers.get('etag'));
    assert.equal((await read(path)).headers.get('etag'), changed.headers.get('etag'));
  });

  test(`a ${kind} is changed only with a version that it has now`, async () => {
    const path = await make();
    const tag = (await read(path)).headers.get('etag') ?? '';
    for (const stale of ['"1000000"', `W/${tag}`, '""', '"x"']) {
      const refused = await put(path, change(), stale);
      assert.deepEqual([refused.status, refused.body['code']], [412, 'precondition_failed'], stale);
    }
    assert.equal((await put(path, change(), '1')).body['code'], 'malformed');
    assert.equal((await read(path)).headers.get('etag'), tag, 'nothing has changed');

    const wish = change();
    const made = await put(path, wish, `"7000000", ${tag}`);
    assert.equal(made.status, 200);
    assert.equal(made.body[shows], Object.values(wish)[0]);
    assert.equal((await put(path, change(), tag)).status, 412, 'the version is used up');
    assert.equal((await put(path, change(), '*')).status, 200);
  });

  test(`of many changes of a ${kind} at once with the same version exactly one is made`, async () => {
    const path = await make();
    const tag = (await read(path)).headers.get('etag') ?? '';
    const wishes = Array.from({ length: 8 }, change);
    const answers = await Promise.all(wishes.map((wish) => put(path, wish, tag)));
    const made = answers.filter(({ status }) => status === 200);
    assert.equal(made.length, 1);
    assert.ok(answers.every(({ status }) => status === 200 || status === 412));
    assert.equal((await read(path)).body[shows], made[0]?.body[shows]);
    const { rows } = await stack.database.query(`select 1 from audit_log where action = $1 and object_id = $2`, [
      `${kind}.update`,
      path.split('/').at(-1),
    ]);
    assert.equal(rows.length, 1, 'what is refused is not in the audit log');
  });

  test(`a ${kind} is deleted only with a version that it has now`, async () => {
    const path = await make();
    const tag = (await read(path)).headers.get('etag') ?? '';
    const remove = (ifMatch: string) =>
      stack.call('DELETE', path, { token: OPERATOR_KEY, headers: { 'if-match': ifMatch } });
    await put(path, change());
    assert.equal((await remove(tag)).status, 412);
    const now = (await read(path)).headers.get('etag') ?? '';
    assert.equal((await remove(now)).status, 204);
    assert.equal((await read(path)).status, 404);
  });
}

test('the quota is a part of the user: setting it makes the version another', async () => {
  const path = `/users/${userId}`;
  const tag = (await read(path)).headers.get('etag') ?? '';
  const set = (ifMatch: string) =>
    stack.call('POST', `${path}/quota`, {
      ...{ token: OPERATOR_KEY, body: { max_clients: 1000 } },
      headers: { 'if-match': ifMatch },
    });
  assert.equal((await set(tag)).status, 200);
  assert.equal((await set(tag)).status, 412);
});

test('a code is rotated, and a client disconnected, only with the version', async () => {
  const path = `/clients/${await stack.newClient(token)}`;
  const tag = (await read(path)).headers.get('etag') ?? '';
  const post = (action: string, ifMatch: string) =>
    stack.call('POST', `${path}/${action}`, { token, headers: { 'if-match': ifMatch } });
  assert.equal((await post('disconnect', '"0"')).status, 412);
  assert.equal((await post('disconnect', tag)).status, 204);
  assert.equal((await post('rotate-code', tag)).status, 200);
  assert.equal((await post('rotate-code', tag)).status, 412);
});
