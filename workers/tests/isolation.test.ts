import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FakeRelay } from './fake-relay.ts';
import { OPERATOR_KEY, TestStack } from './test-stack.ts';

/** A tenant with everything that a tenant can have. */
interface Household {
  userId: number;
  token: string;
  reader: string;
  keyId: number;
  clientId: number;
  agentToken: string;
  ticket: string;
  siblingId: number;
  siblingToken: string;
  mappingId: number;
  domainId: number;
  host: string;
}

interface Operation {
  method: string;
  /** With the names of parameters. */
  template: string;
  /** `GET /clients/{client_id}` */
  name: string;
}

let stack: TestStack;
let relay: FakeRelay;
let ours: Household;
let theirs: Household;
let anonymous: { clientId: number; token: string };
let operations: Operation[];

before(async () => {
  stack = await TestStack.start();
  relay = new FakeRelay(stack.url);
  const { body } = await stack.asOperator('POST', '/join-tokens', {});
  await relay.register({ join_token: body['join_token'] as string });
  ours = await household('ours');
  theirs = await household('theirs');
  anonymous = await stack.newAnonymous();
  const document = (await stack.call('GET', '//openapi.json')).body;
  operations = Object.entries(document['paths'] as Record<string, object>)
    .filter(([path]) => path.startsWith('/api/v1/'))
    .flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => {
        const template = path.slice('/api/v1'.length);
        return { method: method.toUpperCase(), template, name: `${method.toUpperCase()} ${template}` };
      }),
    );
});
after(() => stack.stop());

async function household(name: string): Promise<Household> {
  const { userId, token } = await stack.newUser(name);
  const key = await stack.call('POST', `/users/${userId}/api-keys`, { token, body: { scopes: ['read'] } });
  const [client, sibling] = [await agent(token), await agent(token)];
  const mapping = await stack.call('POST', '/mappings', {
    token,
    body: {
      ...{ source_client_id: sibling.clientId, target_client_id: client.clientId },
      ...{ local_port: 2222, target_host: `${name}-target.internal`, target_port: 22 },
    },
  });
  assert.equal(mapping.status, 201);
  const domain = await stack.call('POST', '/domains', {
    token,
    body: {
      client_id: client.clientId,
      subdomain: `${name}-name`,
      target_host: `${name}-web.internal`,
      target_port: 1,
    },
  });
  assert.equal(domain.status, 201);
  return {
    ...{ userId, token, reader: key.body['api_key'], keyId: key.body['key_id'] },
    ...{ clientId: client.clientId, agentToken: client.token, ticket: client.ticket },
    ...{ siblingId: sibling.clientId, siblingToken: sibling.token },
    ...{ mappingId: mapping.body['mapping_id'], domainId: domain.body['domain_id'], host: domain.body['full_domain'] },
  };
}

async function agent(apiKey: string): Promise<{ clientId: number; token: string; ticket: string }> {
  const body = { agent_version: 'test', protocol: 1 };
  const session = await stack.call('POST', '//agent/v1/session', { token: apiKey, body });
  assert.equal(session.status, 200);
  const { client_id, access_token, ticket } = session.body;
  return { clientId: client_id as number, token: access_token as string, ticket: ticket as string };
}

/** The operation aimed at the household's objects. */
function aimedAt(victim: Household, { template, name }: Operation): { path: string; body: unknown } {
  const values: Record<string, string | number> = {
    user_id: victim.userId,
    key_id: victim.keyId,
    client_id: victim.clientId,
    mapping_id: victim.mappingId,
    domain_id: victim.domainId,
    node_id: relay.nodeId,
    token_id: 1,
  };
  const path = template.replaceAll(/\{(\w+)\}/g, (_, key: string) => {
    assert.ok(key in values, `the parameter ${key} of ${name} has a value here`);
    return String(values[key]);
  });
  const query: Record<string, string> = {
    'GET /domains/availability': `?name=${victim.host.split('.')[0]}`,
    'GET /domains/lookup': `?host=${victim.host}`,
    'GET /clients': `?user_id=${victim.userId}`,
    'GET /mappings': `?user_id=${victim.userId}&client_id=${victim.clientId}`,
    'GET /domains': `?user_id=${victim.userId}&client_id=${victim.clientId}`,
  };
  const bodies: Record<string, unknown> = {
    'POST /users': { username: 'intruder', email: 'intruder@customer.example' },
    'PUT /users/{user_id}': { email: 'taken-over@customer.example' },
    'POST /users/{user_id}/quota': { max_clients: null },
    'POST /users/{user_id}/api-keys': {},
    'POST /clients': { user_id: victim.userId, client_name: 'intruder' },
    'PUT /clients/{client_id}': { client_name: 'intruder', enabled: false },
    'POST /clients/{client_id}/disconnect': undefined,
    'POST /clients/{client_id}/rotate-code': undefined,
    'POST /mappings': {
      target_client_id: victim.clientId,
      source_client_id: victim.siblingId,
      local_port: 1,
      target_port: 1,
    },
    'PUT /mappings/{mapping_id}': { target_host: 'evil.internal' },
    'POST /domains': { client_id: victim.clientId, subdomain: 'intruder', target_port: 1 },
    'PUT /domains/{domain_id}': { target_host: 'evil.internal', enabled: false },
    'POST /nodes/{node_id}/drain': {},
    'POST /join-tokens': {},
  };
  if (/^(?:POST|PUT|PATCH)/.test(name)) assert.ok(name in bodies, `${name} has a body here`);
  return { path: path + (query[name] ?? ''), body: bodies[name] };
}

/** Everything of the household as it is stored, but for when it was used. */
async function stored(one: Household): Promise<string> {
  const { rows } = await stack.database.query<{ all: unknown }>(
    `select jsonb_build_array(
       (select jsonb_agg(to_jsonb(u) order by user_id) from users u where user_id = $1),
       (select jsonb_agg(to_jsonb(q)) from user_quotas q where user_id = $1),
       (select jsonb_agg(to_jsonb(k) - 'last_used_at' order by id) from api_keys k where user_id = $1),
       (select jsonb_agg(to_jsonb(c) - 'last_seen_at' order by client_id) from clients c where user_id = $1),
       (select jsonb_agg(to_jsonb(m) order by mapping_id) from port_mappings m where user_id = $1),
       (select jsonb_agg(to_jsonb(d) order by id) from http_domain_mappings d where user_id = $1),
       (select jsonb_agg(to_jsonb(e) order by e.id) from endpoint_upstreams e join clients c using (client_id) where c.user_id = $1)
     ) as all`,
    [one.userId],
  );
  return JSON.stringify(rows[0]?.all);
}

/** What only the household's own answers may hold. The name itself is public. */
function marksOf({ userId, clientId, siblingId }: Household, name: string): string[] {
  return [userId, clientId, siblingId].map(String).concat(`${name}-target`, `${name}-web`, `${name}@customer`);
}

test('every operation refuses who shows no credential, a wrong one, or one of another interface', async () => {
  const credentials: Record<string, string | undefined> = {
    none: undefined,
    wrong: 'x'.repeat(40),
    'a key that does not exist': `tnx_live_${'A'.repeat(43)}`,
    'a relay token': relay.registration.token,
    'a ticket': ours.ticket,
  };
  for (const operation of operations) {
    const { path, body } = aimedAt(ours, operation);
    for (const [what, token] of Object.entries(credentials)) {
      const answer = await stack.call(operation.method, path, { token, body });
      assert.deepEqual([answer.status, answer.body['code']], [401, 'unauthenticated'], `${operation.name}: ${what}`);
    }
  }
});

test('no operation that changes something takes a key that may only read', async () => {
  const unchanged = await stored(ours);
  for (const operation of operations.filter(({ method }) => method !== 'GET')) {
    const { path, body } = aimedAt(ours, operation);
    const answer = await stack.call(operation.method, path, { token: ours.reader, body });
    assert.deepEqual([answer.status, answer.body['code']], [403, 'forbidden'], operation.name);
  }
  assert.equal(await stored(ours), unchanged);
});

test("no operation reads or changes what is another tenant's", async () => {
  const unchanged = await stored(ours);
  const marks = marksOf(ours, 'ours');
  const strangers = { user: theirs.token, agent: theirs.agentToken, anonymous: anonymous.token };
  for (const operation of operations) {
    const { path, body } = aimedAt(ours, operation);
    for (const [who, token] of Object.entries(strangers)) {
      const what = `${operation.name} by ${who}`;
      const answer = await stack.call(operation.method, path, { token, body });
      const open = operation.method === 'GET' && !operation.template.includes('{');
      assert.ok([...(open ? [200] : []), 403, 404].includes(answer.status), `${what}: ${answer.status}`);
      // A refusal repeats the id that was asked for.
      if (answer.status !== 200) continue;
      const text = JSON.stringify(answer.body);
      for (const mark of marks) assert.ok(!text.includes(mark), `${what} tells ${mark}: ${text}`);
    }
  }
  assert.equal(await stored(ours), unchanged);
});

test("an agent's credential neither reads nor changes what its siblings alone have", async () => {
  const unchanged = await stored(ours);
  // The mapping is the sibling's as well: it is its source.
  const foreign = operations.filter(({ template }) => !template.startsWith('/mappings/'));
  for (const operation of foreign) {
    const { path, body } = aimedAt(ours, operation);
    if (operation.name === 'POST /mappings') continue;
    const answer = await stack.call(operation.method, path, { token: ours.siblingToken, body });
    const open = operation.method === 'GET';
    assert.ok([...(open ? [200] : []), 403, 404].includes(answer.status), `${operation.name}: ${answer.status}`);
    if (answer.status !== 200) continue;
    assert.ok(!JSON.stringify(answer.body).includes('ours-web'), operation.name);
  }
  assert.equal(await stored(ours), unchanged);
});

test('an agent cannot give its name to a sibling', async () => {
  const unchanged = await stored(ours);
  const body = { client_id: ours.siblingId };
  const given = await stack.call('PUT', `/domains/${ours.domainId}`, { token: ours.agentToken, body });
  assert.deepEqual([given.status, given.body['code']], [404, 'not_found']);
  assert.equal(await stored(ours), unchanged);
});

test('the relay interface takes only the token of a relay', async () => {
  const calls: [string, string, unknown?][] = [
    ['GET', '/session'],
    ['POST', '/attach', { clients: [] }],
    ['POST', '/detach', { clients: [] }],
    ['GET', `/lookup?endpoint=${ours.host}`],
    ['POST', '/usage', { incarnation: relay.registration.incarnation, sequence: 1, entries: [] }],
    ['GET', '/keys'],
    ['GET', '/peers'],
  ];
  for (const [method, path, body] of calls) {
    for (const token of [undefined, OPERATOR_KEY, ours.token, ours.agentToken, ours.ticket]) {
      const answer = await stack.call(method, `//relay/v1${path}`, { token, body });
      assert.deepEqual([answer.status, answer.body['code']], [401, 'unauthenticated'], `${method} ${path}`);
    }
  }
});

test('the agent interface gives a configuration to the client itself, and a session to who has its credential', async () => {
  for (const token of [undefined, OPERATOR_KEY, ours.token, ours.ticket, relay.registration.token]) {
    const answer = await stack.call('GET', '//agent/v1/config', { token });
    assert.equal(answer.status, 401);
  }
  const session = { agent_version: 'test', protocol: 1, client_id: ours.clientId };
  const refused: [string | undefined, number][] = [
    [undefined, 422],
    [theirs.token, 404],
    [ours.reader, 403],
    [ours.siblingToken, 403],
    [OPERATOR_KEY, 403],
    [relay.registration.token, 401],
  ];
  for (const [token, status] of refused) {
    assert.equal((await stack.call('POST', '//agent/v1/session', { token, body: session })).status, status);
  }
});

test('the log has no credential, no hash and no value of a statement, also when the database fails', async () => {
  const known = [ours.token, ours.reader, ours.agentToken, ours.ticket, relay.registration.token, OPERATOR_KEY];
  await stack.cutDatabase();
  const password = 'correct horse battery staple';
  const email = 'logged-not@customer.example';
  const body = { username: 'logged-not', email, password };
  assert.equal((await stack.asOperator('POST', '/users', body)).status, 503);
  const all = stack.logLines.join('\n');
  assert.ok(all.includes('A request failed'));
  for (const secret of [...known, password, email, '$scrypt$', 'params:']) assert.ok(!all.includes(secret), secret);
});
