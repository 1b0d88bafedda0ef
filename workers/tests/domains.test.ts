import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Answer, BASE_DOMAIN, type Body, TestStack } from './test-stack.ts';

let stack: TestStack;
before(async () => {
  stack = await TestStack.start({ BASE_DOMAINS: `${BASE_DOMAIN},second.example,eu.${BASE_DOMAIN}` });
});
after(() => stack.stop());

/** A tenant with one client. */
async function newTenant(name: string) {
  const { userId, token } = await stack.newUser(name);
  const clientId = await stack.newClient(token);
  const create = (wish: object): Promise<Answer> =>
    stack.call('POST', '/domains', { token, body: { client_id: clientId, target_port: 3000, ...wish } });
  return { userId, token, clientId, create };
}

test('POST /domains binds a chosen name and tells its URLs', async () => {
  const tenant = await newTenant('chooser');
  const { status, body } = await tenant.create({
    subdomain: 'Foo',
    target_host: 'localhost',
    host_header: 'app.local',
  });
  assert.equal(status, 201);
  assert.equal(body['full_domain'], `foo.${BASE_DOMAIN}`);
  assert.equal(body['url'], `https://foo.${BASE_DOMAIN}:9013`);
  assert.deepEqual(body['urls'], [`https://foo.${BASE_DOMAIN}:9013`, `http://foo.${BASE_DOMAIN}:9012`]);
  assert.deepEqual([body['target_host'], body['target_port'], body['host_header']], ['localhost', 3000, 'app.local']);
  assert.deepEqual([body['verification_state'], body['status'], body['custom']], ['verified', 'inactive', false]);
  assert.deepEqual(body['delivery'], [{ client_id: tenant.clientId, state: 'offline' }]);
  const read = await stack.call('GET', `/domains/${body['domain_id']}`, { token: tenant.token });
  const { delivery, ...rest } = body;
  assert.equal(delivery.length, 1);
  assert.deepEqual(read.body, rest);
});

test("POST /domains refuses another tenant's name, and names the domain when it is one's own", async () => {
  const [mine, theirs] = [await newTenant('first'), await newTenant('second')];
  const made = await mine.create({ subdomain: 'wanted' });
  const taken = await theirs.create({ subdomain: 'WANTED' });
  assert.deepEqual([taken.status, taken.body['code']], [409, 'subdomain_taken']);
  assert.equal(taken.body['domain_id'], undefined);
  const again = await mine.create({ subdomain: 'wanted' });
  assert.deepEqual([again.status, again.body['code']], [409, 'conflict']);
  assert.equal(again.body['domain_id'], made.body['domain_id']);
  const elsewhere = await theirs.create({ subdomain: 'wanted', base_domain: 'Second.example' });
  assert.equal(elsewhere.body['full_domain'], 'wanted.second.example');
});

test('POST /domains under a race gives one name to exactly one tenant', async () => {
  const tenants = await Promise.all(Array.from({ length: 6 }, (_, i) => newTenant(`name-racer-${i}`)));
  const answers = await Promise.all(tenants.map((tenant) => tenant.create({ subdomain: 'prize' })));
  assert.equal(answers.filter((answer) => answer.status === 201).length, 1);
  for (const { status, body } of answers.filter((answer) => answer.status !== 201)) {
    assert.deepEqual([status, body['code']], [409, 'subdomain_taken']);
  }
  const { rows } = await stack.database.query(
    `select (select count(*)::int from http_domain_mappings where full_domain = $1) as domains,
       (select count(*)::int from outbox where endpoint = $1) as told`,
    [`prize.${BASE_DOMAIN}`],
  );
  assert.deepEqual(rows, [{ domains: 1, told: 1 }]);
});

test('POST /domains and POST /mappings under a race share one quota', async () => {
  const { userId, token, clientId, create } = await newTenant('quota-racer');
  await stack.asOperator('POST', `/users/${userId}/quota`, { max_mappings: 4 });
  const source = await stack.newClient(token);
  const mapping = (port: number) => ({
    source_client_id: source,
    target_client_id: clientId,
    target_port: 1,
    local_port: port,
  });
  const answers = await Promise.all([
    ...Array.from({ length: 6 }, () => create({})),
    ...Array.from({ length: 6 }, (_, i) => stack.call('POST', '/mappings', { token, body: mapping(4000 + i) })),
  ]);
  assert.equal(answers.filter((answer) => answer.status === 201).length, 4);
  for (const { body } of answers.filter((answer) => answer.status !== 201)) {
    assert.equal(body['code'], 'quota_exceeded');
    assert.deepEqual([body['limit'], body['current']], [4, 4]);
  }
  assert.equal((await stack.call('GET', `/users/${userId}/quota`, { token })).body['current_mappings'], 4);
});

test('POST /domains says what is wrong with a name', async () => {
  const { create } = await newTenant('misnamer');
  const table: [object, string][] = [
    [{ subdomain: '' }, 'empty'],
    [{ subdomain: '*' }, 'wildcard'],
    [{ subdomain: 'a.b' }, 'several_labels'],
    [{ subdomain: 'a_b' }, 'characters'],
    [{ subdomain: 'a'.repeat(64) }, 'too_long'],
    [{ subdomain: 'admin' }, 'reserved'],
    [{ subdomain: 'p\u0430ypal' }, 'mixed_scripts'],
    [{ domain: `x.${BASE_DOMAIN}` }, 'base_domain'],
    [{ domain: '*.customer.example' }, 'wildcard'],
    [{ domain: 'customer' }, 'one_label'],
  ];
  for (const [wish, reason] of table) {
    const { status, body } = await create(wish);
    assert.deepEqual([status, body['code'], body['reason']], [422, 'name_invalid', reason], JSON.stringify(wish));
    assert.equal(body['errors'][0].pointer, `/${Object.keys(wish)[0]}`);
  }
  await stack.database.query(`insert into reserved_names (name, reason) values ('kept-back', 'brand')`);
  assert.equal((await create({ subdomain: 'kept-back' })).body['reason'], 'reserved');
  assert.equal((await create({ base_domain: 'foreign.example' })).body['errors'][0].pointer, '/base_domain');
  assert.equal((await create({ subdomain: 'x', domain: 'y.example' })).status, 422);
  assert.equal((await create({ target_port: 0 })).status, 422);
  assert.equal((await create({ target_host: 'a b' })).status, 422);
  assert.equal((await create({ host_header: 'a\r\nb' })).status, 422);
  assert.equal((await create({ access: { allow: ['300.0.0.1'] } })).status, 422);
});

test('POST /domains gives a random name when none is asked for', async () => {
  const { create } = await newTenant('randomer');
  const { body } = await create({});
  assert.match(body['full_domain'], new RegExp(`^[a-z]+-[a-z]+-\\d{4}\\.${BASE_DOMAIN}$`));
});

test('an anonymous client has one random name, and logs in to choose', async () => {
  const { token, clientId } = await stack.newAnonymous();
  const create = (wish: object) => stack.call('POST', '/domains', { token, body: { target_port: 3000, ...wish } });
  const chosen = await create({ subdomain: 'wish' });
  assert.deepEqual([chosen.status, chosen.body['code']], [403, 'login_required']);
  assert.match(chosen.body['detail'], /Log in/);
  assert.equal((await create({ domain: 'wish.customer.example' })).body['code'], 'login_required');
  const made = await create({});
  assert.equal(made.status, 201);
  assert.deepEqual([made.body['user_id'], made.body['client_id']], [null, clientId]);
  assert.ok(Date.parse(made.body['expires_at']) > Date.now());
  assert.equal((await create({})).body['code'], 'quota_exceeded');
  const port = await stack.call('POST', '/mappings', { token, body: { target_port: 22 } });
  assert.equal(port.body['code'], 'login_required');

  const other = await stack.newAnonymous();
  const path = `/domains/${made.body['domain_id']}`;
  assert.equal((await stack.call('GET', path, { token: other.token })).status, 404);
  assert.equal((await stack.call('GET', path, { token })).status, 200);
  const config = await stack.call('GET', '//agent/v1/config?since=0', { token });
  assert.deepEqual(
    config.body['bindings'].map((binding: { url: string }) => binding.url),
    [made.body['url']],
  );
  assert.equal((await stack.call('DELETE', path, { token })).status, 204);
  assert.equal((await create({})).status, 201);
});

test('domains of another tenant do not exist', async () => {
  const [mine, theirs] = [await newTenant('insider'), await newTenant('outsider')];
  const made = await mine.create({ subdomain: 'inside' });
  const path = `/domains/${made.body['domain_id']}`;
  for (const [method, body] of [['GET'], ['PUT', { target_port: 1 }], ['DELETE']] as const) {
    const answer = await stack.call(method, path, { token: theirs.token, body });
    assert.deepEqual([answer.status, answer.body['code']], [404, 'not_found'], method);
  }
  assert.equal((await theirs.create({ client_id: mine.clientId })).status, 404);
  const moved = await stack.call('PUT', path, { token: mine.token, body: { client_id: theirs.clientId } });
  assert.equal(moved.status, 404);
  assert.equal((await stack.call('GET', '/domains', { token: theirs.token })).body['total'], 0);
  const lookup = `/domains/lookup?host=inside.${BASE_DOMAIN}`;
  assert.equal((await stack.call('GET', lookup, { token: theirs.token })).status, 404);
  assert.equal(
    (await stack.call('GET', lookup, { token: mine.token })).body['binding_id'],
    `domain:${made.body['domain_id']}`,
  );
  assert.equal((await stack.call('GET', '/routes', { token: theirs.token })).body['total'], 0);
});

test('PUT /domains/{id} changes what it names, raises the versions and tells every client concerned', async () => {
  const { token, clientId, create } = await newTenant('changer');
  const other = await stack.newClient(token);
  const made = await create({ subdomain: 'changing', access: { deny: ['203.0.113.0/24'] } });
  const path = `/domains/${made.body['domain_id']}`;
  const version = async (id: number): Promise<number> =>
    (await stack.call('GET', `/clients/${id}`, { token })).body['config_version'];
  const versions = [await version(clientId), await version(other)];
  const changed = await stack.call('PUT', path, {
    token,
    body: { client_id: other, target_port: 4000, enabled: false },
  });
  assert.equal(changed.status, 200);
  const { client_id, target_port, enabled, status, access } = changed.body;
  assert.deepEqual([client_id, target_port, enabled, status], [other, 4000, false, 'disabled']);
  assert.deepEqual(access, { allow: [], deny: ['203.0.113.0/24'] });
  assert.ok(changed.body['version'] > made.body['version']);
  assert.deepEqual(
    [await version(clientId), await version(other)],
    versions.map((number) => number + 1),
  );
  const { rows } = await stack.database.query(
    `select client_ids::int[], version::int from outbox where binding_id = $1 order by id desc limit 1`,
    [`domain:${made.body['domain_id']}`],
  );
  assert.deepEqual(rows, [{ client_ids: [clientId, other], version: changed.body['version'] }]);
  assert.deepEqual(
    new Set(changed.body['delivery'].map((one: { client_id: number }) => one.client_id)),
    new Set([clientId, other]),
  );
});

test('a name that is given up waits a week for others, and has a higher version when it is taken anew', async () => {
  const [first, second] = [await newTenant('giver'), await newTenant('taker')];
  const fullDomain = `handed-on.${BASE_DOMAIN}`;
  const giveUp = async (domain: Answer, token: string): Promise<void> => {
    const answer = await stack.call('DELETE', `/domains/${domain.body['domain_id']}`, { token });
    assert.equal(answer.status, 204);
  };
  const available = async (token: string): Promise<Body> =>
    (await stack.call('GET', '/domains/availability?name=handed-on', { token })).body;

  await giveUp(await first.create({ subdomain: 'handed-on' }), first.token);
  const refused = await second.create({ subdomain: 'handed-on' });
  assert.deepEqual(
    [refused.status, refused.body['code'], refused.body['reason']],
    [409, 'subdomain_taken', 'quarantine'],
  );
  const days = (Date.parse(refused.body['until']) - Date.now()) / 86_400_000;
  assert.ok(days > 6.9 && days < 7.1, `it ends in ${days} days`);
  const seen = await available(second.token);
  assert.deepEqual([seen['available'], seen['reason']], [false, 'quarantine']);
  assert.match(seen['detail'], /until 20/);
  // The same label under another base domain is another name.
  assert.equal((await second.create({ subdomain: 'handed-on', base_domain: 'second.example' })).status, 201);

  assert.equal((await available(first.token))['available'], true);
  const again = await first.create({ subdomain: 'handed-on' });
  assert.equal(again.status, 201);
  const left = await stack.database.query('select from reserved_names where name = $1', [fullDomain]);
  assert.equal(left.rowCount, 0, 'who took the name again has it as before');
  await giveUp(again, first.token);

  await stack.database.query('update reserved_names set until = now() where name = $1', [fullDomain]);
  assert.equal((await available(second.token))['available'], true);
  assert.equal((await second.create({ subdomain: 'handed-on' })).status, 201);
  const { rows } = await stack.database.query(
    'select binding_id, version::int, deleted from outbox where endpoint = $1 order by id',
    [fullDomain],
  );
  assert.deepEqual(
    rows.map((row) => row.deleted),
    [false, true, false, true, false],
  );
  assert.deepEqual(
    rows.map((row) => row.version),
    rows.map((row) => row.version).sort((a, b) => a - b),
  );
  assert.equal(new Set(rows.map((row) => row.version)).size, 5);
});

test('a name that goes with its client, its user or its day waits as well', async () => {
  const other = await newTenant('name-waiter');
  const [byClient, byUser] = [await newTenant('client-ender'), await newTenant('user-ender')];
  await byClient.create({ subdomain: 'went-with-client' });
  await byUser.create({ subdomain: 'went-with-user' });
  // Other people's claims are nobody's to keep: they were never proved.
  await byClient.create({ domain: 'bystander.customer.example' });
  assert.equal((await stack.call('DELETE', `/clients/${byClient.clientId}`, { token: byClient.token })).status, 204);
  assert.equal((await stack.asOperator('DELETE', `/users/${byUser.userId}`)).status, 204);
  const anonymous = await stack.newAnonymous();
  const made = await stack.call('POST', '/domains', { token: anonymous.token, body: { target_port: 3000 } });
  await stack.database.query('update clients set expires_at = now() where client_id = $1', [anonymous.clientId]);
  await stack.sweep();

  const label: string = made.body['full_domain'].split('.')[0];
  for (const subdomain of ['went-with-client', 'went-with-user', label]) {
    const { status, body } = await other.create({ subdomain });
    assert.deepEqual([status, body['reason']], [409, 'quarantine'], subdomain);
  }
  const { rows } = await stack.database.query(
    `select name, user_id::int from reserved_names where name like 'went-with-%' or name in ($1, 'bystander.customer.example')`,
    [made.body['full_domain']],
  );
  const owner = new Map(rows.map((row) => [row.name, row.user_id]));
  assert.deepEqual(
    owner,
    new Map<string, number | null>([
      [`went-with-client.${BASE_DOMAIN}`, byClient.userId],
      [`went-with-user.${BASE_DOMAIN}`, byUser.userId],
      [made.body['full_domain'], null],
    ]),
  );
  // Its owner makes a new client, and has its name again.
  const client_id = await stack.newClient(byClient.token);
  const again = { client_id, subdomain: 'went-with-client', target_port: 1 };
  assert.equal((await stack.call('POST', '/domains', { token: byClient.token, body: again })).status, 201);
});

test('a name that is given up at this moment cannot be snatched', async () => {
  const [giver, snatcher] = [await newTenant('surprised'), await newTenant('snatcher')];
  for (let round = 0; round < 5; round += 1) {
    const made = await giver.create({ subdomain: `snatched-${round}` });
    const [gone, ...tries] = await Promise.all([
      stack.call('DELETE', `/domains/${made.body['domain_id']}`, { token: giver.token }),
      ...Array.from({ length: 8 }, () => snatcher.create({ subdomain: `snatched-${round}` })),
    ]);
    assert.equal(gone.status, 204);
    for (const { status, body } of tries) assert.deepEqual([status, body['code']], [409, 'subdomain_taken']);
  }
});

test('the sweep forgets quarantines that are over', async () => {
  await stack.database.query(
    `insert into reserved_names (name, reason, until) select 'over-' || n || '.${BASE_DOMAIN}', 'quarantine', now() - interval '1 s'
     from generate_series(1, 300) n`,
  );
  await stack.sweep();
  const { rows } = await stack.database.query(
    `select count(*)::int as left from reserved_names where name like 'over-%'`,
  );
  assert.deepEqual(rows, [{ left: 0 }]);
});

test('operators keep names back, for ever, for a time or for one user', async () => {
  const [mine, theirs] = [await newTenant('brand-owner'), await newTenant('brand-thief')];
  const put = (name: string, body: object) => stack.asOperator('PUT', `/reserved-names/${name}`, body);
  const reserved = await put('Brand', { reason: 'a trade mark', user_id: mine.userId });
  assert.deepEqual(
    [reserved.status, reserved.body],
    [200, { name: 'brand', reason: 'a trade mark', user_id: mine.userId, until: null }],
  );
  await put(`whole.${BASE_DOMAIN}`, { reason: 'for later', until: new Date(Date.now() + 60_000).toISOString() });
  await put('caf\u00e9', { reason: 'x' });
  assert.equal((await theirs.create({ subdomain: 'brand' })).body['reason'], 'reserved');
  assert.equal((await theirs.create({ subdomain: 'brand', base_domain: 'second.example' })).body['reason'], 'reserved');
  assert.equal((await theirs.create({ subdomain: 'whole' })).body['reason'], 'reserved');
  assert.equal((await theirs.create({ subdomain: 'caf\u00e9' })).body['reason'], 'reserved');
  assert.equal((await theirs.create({ subdomain: 'whole', base_domain: 'second.example' })).status, 201);
  const brand = await mine.create({ subdomain: 'brand' });
  assert.equal(brand.status, 201);
  // A name that operators keep stays theirs when it is given up.
  await stack.call('DELETE', `/domains/${brand.body['domain_id']}`, { token: mine.token });
  assert.equal((await theirs.create({ subdomain: 'brand' })).body['reason'], 'reserved');

  const names: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Answer = await stack.asOperator('GET', `/reserved-names?limit=2${cursor && `&cursor=${cursor}`}`);
    names.push(...page.body['reserved_names'].map((one: { name: string }) => one.name));
    cursor = page.body['next_cursor'] as string | null;
  }
  assert.deepEqual(names, [...names].sort());
  for (const name of ['brand', `whole.${BASE_DOMAIN}`, 'xn--caf-dma']) assert.ok(names.includes(name), name);

  assert.equal((await stack.asOperator('DELETE', '/reserved-names/brand')).status, 204);
  assert.equal((await stack.asOperator('DELETE', '/reserved-names/brand')).status, 404);
  const lifted = `brand.${BASE_DOMAIN}`;
  assert.equal((await theirs.create({ subdomain: 'brand' })).body['reason'], 'quarantine');
  assert.equal((await stack.asOperator('DELETE', `/reserved-names/${lifted}`)).status, 204);
  assert.equal((await theirs.create({ subdomain: 'brand' })).status, 201);

  for (const [name, body] of [
    ['a b', { reason: 'x' }],
    ['ok', { reason: '' }],
    ['ok', { reason: 'quarantine' }],
    ['ok', { reason: 'x', user_id: 1 }],
    ['ok', { reason: 'x', until: 'tomorrow' }],
  ] as const) {
    assert.equal((await put(name, body)).status, 422, name);
  }
  for (const [method, path, body] of [
    ['GET', '/reserved-names'],
    ['PUT', '/reserved-names/mine', { reason: 'x' }],
    ['DELETE', '/reserved-names/mine'],
  ] as const) {
    assert.equal((await stack.call(method, path, { token: theirs.token, body })).status, 403, method);
  }
  const { rows } = await stack.database.query(
    `select action, count(*)::int from audit_log where object_type = 'reserved_name' group by action order by action`,
  );
  assert.deepEqual(rows, [
    { action: 'reserved_name.delete', count: 2 },
    { action: 'reserved_name.put', count: 3 },
  ]);
});

test('a base domain under another is no name to be had there', async () => {
  const { create } = await newTenant('sub-baser');
  assert.equal((await create({ subdomain: 'eu' })).body['reason'], 'reserved');
  const under = await create({ subdomain: 'nested', base_domain: `eu.${BASE_DOMAIN}` });
  assert.equal(under.body['full_domain'], `nested.eu.${BASE_DOMAIN}`);
  const { token } = await newTenant('sub-base-asker');
  const ask = `/domains/availability?name=nested.eu.${BASE_DOMAIN}`;
  assert.equal((await stack.call('GET', ask, { token })).body['reason'], 'taken');
});

test('custom domains wait for their proof, of several tenants side by side', async () => {
  const [one, two] = [await newTenant('custom-1'), await newTenant('custom-2')];
  const claims = [
    await one.create({ domain: 'Shop.Customer.example.' }),
    await two.create({ domain: 'shop.customer.example' }),
  ];
  for (const { status, body } of claims) {
    assert.equal(status, 201);
    assert.deepEqual([body['full_domain'], body['custom']], ['shop.customer.example', true]);
    assert.deepEqual([body['verification_state'], body['status']], ['pending_verification', 'pending_verification']);
    assert.deepEqual([body['proofs'][0].type, body['proofs'][0].name], ['TXT', '_tunnox.shop.customer.example']);
    assert.deepEqual(body['delivery'], []);
  }
  assert.notEqual(claims[0]?.body['proofs'][0].value, claims[1]?.body['proofs'][0].value);
  const again = await one.create({ domain: 'shop.customer.example' });
  assert.deepEqual([again.body['code'], again.body['domain_id']], ['conflict', claims[0]?.body['domain_id']]);
  // Not a route, and nothing for the agent, until it is proved.
  assert.equal((await stack.call('GET', '/routes', { token: one.token })).body['total'], 0);

  const operator = { domain: 'shop.customer.example', client_id: two.clientId, target_port: 80 };
  assert.equal((await stack.asOperator('POST', '/domains', operator)).body['code'], 'conflict');
  const verified = { domain: 'other.customer.example', client_id: two.clientId, target_port: 80 };
  const made = await stack.asOperator('POST', '/domains', verified);
  assert.deepEqual([made.status, made.body['verification_state'], made.body['user_id']], [201, 'verified', two.userId]);
  const rival = { domain: 'other.customer.example', client_id: one.clientId, target_port: 80 };
  assert.equal((await stack.asOperator('POST', '/domains', rival)).body['code'], 'subdomain_taken');
});

test('GET /domains/availability tells free, taken, yours and why not', async () => {
  const [mine, theirs] = [await newTenant('asker'), await newTenant('asked')];
  await mine.create({ subdomain: 'asked-for' });
  const ask = async (name: string, token: string, base = ''): Promise<unknown[]> => {
    const path = `/domains/availability?name=${encodeURIComponent(name)}${base === '' ? '' : `&base_domain=${base}`}`;
    const { body } = await stack.call('GET', path, { token });
    return [body['available'], body['reason']];
  };
  assert.deepEqual(await ask('asked-for', mine.token), [false, 'yours']);
  assert.deepEqual(await ask('Asked-For', theirs.token), [false, 'taken']);
  assert.deepEqual(await ask(`asked-for.${BASE_DOMAIN}`, theirs.token), [false, 'taken']);
  assert.deepEqual(await ask('asked-for', theirs.token, 'second.example'), [true, null]);
  assert.deepEqual(await ask('www', mine.token), [false, 'reserved']);
  assert.deepEqual(await ask('a*b', mine.token), [false, 'wildcard']);
  assert.deepEqual(await ask('nobody-has-this', mine.token), [true, null]);
});

test('GET /routes walks by cursor in the order of the endpoints', async () => {
  const { token, create } = await newTenant('router');
  const names = ['zulu-route', 'alpha-route', 'mike-route'];
  for (const subdomain of names) await create({ subdomain });
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: Answer = await stack.call('GET', `/routes?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`, {
      token,
    });
    seen.push(...page.body['routes'].map((route: { endpoint: string }) => route.endpoint));
    assert.equal(page.body['total'], 3);
    cursor = page.body['next_cursor'];
  }
  assert.deepEqual(seen, names.map((name) => `${name}.${BASE_DOMAIN}`).sort());
});

test('an ended anonymous name is no route any more', async () => {
  const { token, clientId } = await stack.newAnonymous();
  const made = await stack.call('POST', '/domains', { token, body: { target_port: 3000 } });
  await stack.database.query('update http_domain_mappings set expires_at = now() where id = $1', [
    made.body['domain_id'],
  ]);
  const lookup = await stack.asOperator('GET', `/domains/lookup?host=${made.body['full_domain']}`);
  assert.equal(lookup.status, 404);
  await stack.database.query('update clients set expires_at = now() where client_id = $1', [clientId]);
  assert.equal((await stack.call('GET', '/me', { token })).status, 401);
});
