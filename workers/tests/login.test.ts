import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { type Answer, TestStack } from './test-stack.ts';

const PASSWORD = 'correct horse battery';
/** Of the same, by bcrypt at its lowest cost. */
const CHEAP_HASH = '$2b$04$wahmfxf820/9ia5HlwObZuLYq85XRHBbeuAf7D6LVxEbD3rLFoxle';

let stack: TestStack;
before(async () => {
  stack = await TestStack.start({ CLIENT_ADDRESS_HEADER: 'x-test-address' });
});
after(() => stack.stop());

async function newPerson(name: string, more: object = { password: PASSWORD }): Promise<number> {
  const made = await stack.asOperator('POST', '/users', {
    ...{ username: name, email: `${name}@customer.example`, plan: 'pro' },
    ...more,
  });
  assert.equal(made.status, 201);
  return made.body['user_id'] as number;
}

function tryLogin(login: string, password = PASSWORD, address?: string): Promise<Answer> {
  const headers = address === undefined ? {} : { 'x-test-address': address };
  return stack.call('POST', '/auth/login', { body: { login, password }, headers });
}

interface Tokens {
  access: string;
  refresh: string;
}

function tokensOf({ status, body }: Answer): Tokens {
  assert.equal(status, 200, JSON.stringify(body));
  return { access: body['access_token'] as string, refresh: body['refresh_token'] as string };
}

const login = async (name: string, password?: string) => tokensOf(await tryLogin(name, password));

const refresh = (refresh_token: string) => stack.call('POST', '/auth/refresh', { body: { refresh_token } });

/** Status of a call with the token. */
const statusWith = async (token: string) => (await stack.call('GET', '/me', { token })).status;

async function auditOf(userId: number, action: string): Promise<Record<string, unknown>[]> {
  const { rows } = await stack.database.query(
    `select actor_type, actor_id::int, object_type, after, request_id from audit_log
     where user_id = $1 and action = $2 order by id`,
    [userId, action],
  );
  return rows as Record<string, unknown>[];
}

test('POST /auth/login takes a user name or an e-mail address, in any letter case', async () => {
  const userId = await newPerson('Grace');
  for (const name of ['Grace', 'gRACE', 'Grace@customer.example', 'GRACE@CUSTOMER.EXAMPLE']) {
    const answer = await tryLogin(name);
    const { access } = tokensOf(answer);
    const { token_type, expires_in, refresh_expires_at, user } = answer.body;
    assert.deepEqual([token_type, expires_in, user['user_id']], ['Bearer', 900, userId]);
    const days = (Date.parse(refresh_expires_at as string) - Date.now()) / 86_400_000;
    assert.ok(days > 6.9 && days <= 7, `${days} days`);
    assert.ok(Date.now() - Date.parse(user['last_login_at'] as string) < 60_000);
    assert.ok(!JSON.stringify(answer.body).includes('scrypt'));
    const me = await stack.call('GET', '/me', { token: access });
    assert.deepEqual([me.body['role'], me.body['user']['user_id']], ['user', userId]);
    assert.deepEqual(me.body['scopes'], ['read', 'write']);
  }
  const { access, refresh: token } = await login('Grace');
  const { jti, sid, iat, exp, ...claims } = decodeJwt(access);
  assert.deepEqual(claims, { iss: 'tunnox', aud: 'tunnox-api', sub: String(userId), role: 'user' });
  assert.equal(exp! - iat!, 900);
  assert.ok(typeof jti === 'string' && typeof sid === 'string');
  assert.equal(decodeProtectedHeader(access).alg, 'ES256');
  const { rows } = await stack.database.query('select jti from refresh_tokens where family = $1', [sid]);
  assert.match(rows[0].jti, /^[0-9a-f]{64}$/, 'hashed');
  assert.ok(!token.includes(rows[0].jti));
  const audited = await auditOf(userId, 'auth.login');
  assert.equal(audited.length, 5);
  assert.deepEqual([audited[0]?.['actor_type'], audited[0]?.['actor_id']], ['user', userId]);
});

test('a wrong name and a wrong password look alike, and only the latter is noted, without the password', async () => {
  const userId = await newPerson('wrongly');
  await newPerson('keys-only', {});
  const answers = [
    await tryLogin('wrongly', 'wrong password'),
    await tryLogin('nobody-at-all', 'wrong password'),
    await tryLogin('keys-only', 'wrong password'),
  ];
  const shown = answers.map(({ status, body }) => {
    const { request_id: _, ...rest } = body;
    return [status, rest];
  });
  assert.deepEqual(shown[0]?.[0], 401);
  assert.deepEqual(shown[1], shown[0]);
  assert.deepEqual(shown[2], shown[0]);
  const noted = await auditOf(userId, 'auth.login_failed');
  assert.deepEqual(noted, [
    {
      ...{ actor_type: 'system', actor_id: null, object_type: 'user', after: null },
      request_id: answers[0]?.body['request_id'],
    },
  ]);
  const { rows } = await stack.database.query(`select to_jsonb(a)::text as line from audit_log a`);
  const all = rows.map(({ line }) => line as string).join('\n') + stack.logLines.join('\n');
  for (const secret of ['wrong password', PASSWORD, '$scrypt$']) assert.ok(!all.includes(secret), secret);
});

test('bad bodies are refused, and no credential is needed or looked at', async () => {
  for (const body of [{}, { login: 'x' }, { login: '', password: 'x' }, { login: 'x', password: 'x'.repeat(257) }]) {
    assert.equal((await stack.call('POST', '/auth/login', { body })).status, 422);
  }
  assert.equal((await stack.call('POST', '/auth/login', { body: { login: 'a\0', password: 'x' } })).status, 422);
  await newPerson('bearing');
  const body = { login: 'bearing', password: PASSWORD };
  assert.equal((await stack.call('POST', '/auth/login', { body, token: 'nonsense' })).status, 200);
  assert.equal((await stack.call('GET', '/auth/login')).status, 405);
  assert.equal((await stack.call('POST', '/auth/login?x=1', { body })).status, 422);
});

test('a disabled user cannot log in, a deleted one does not exist', async () => {
  const userId = await newPerson('asleep');
  await stack.asOperator('PUT', `/users/${userId}`, { status: 'disabled' });
  const right = await tryLogin('asleep');
  assert.deepEqual([right.status, right.body['code']], [403, 'forbidden']);
  assert.equal((await tryLogin('asleep', 'wrong password')).status, 401, 'only who knows the password is told');
  await stack.asOperator('PUT', `/users/${userId}`, { status: 'active' });
  await login('asleep');
  await stack.asOperator('DELETE', `/users/${userId}`);
  assert.equal((await tryLogin('asleep')).status, 401);
});

test('imported hashes are taken, and replaced at the first log-in', async () => {
  const salt = Buffer.from('salt of sixteen.');
  const encode = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  const hashes = {
    // Of "correct horse battery", by another implementation of bcrypt.
    'from-bcrypt': '$2b$10$XffBJCX1RA9EV18RbzFE4uhGbazid/to.P24hiZr9lPu8OxzoOVfK',
    'from-scrypt': `$scrypt$ln=12,r=8,p=1$${encode(salt)}$${encode(scryptSync(PASSWORD, salt, 32, { N: 4096, r: 8, p: 1 }))}`,
  };
  for (const [name, password_hash] of Object.entries(hashes)) {
    const userId = await newPerson(name, { password_hash });
    assert.equal((await tryLogin(name, 'wrong password')).status, 401);
    const stored = async () => {
      const { rows } = await stack.database.query('select password_hash from users where user_id = $1', [userId]);
      return rows[0].password_hash as string;
    };
    assert.equal(await stored(), password_hash);
    await login(name);
    const upgraded = await stored();
    assert.match(upgraded, /^\$scrypt\$ln=14,r=8,p=5\$/);
    await login(name);
    assert.equal(await stored(), upgraded);
    assert.equal((await tryLogin(name, 'wrong password')).status, 401);
  }
});

test('a refresh token counts once; used again, it ends the log-in and all that followed from it', async () => {
  const userId = await newPerson('rotating');
  const other = await login('rotating');
  const first = await login('rotating');
  const second = tokensOf(await refresh(first.refresh));
  assert.notEqual(second.refresh, first.refresh);
  assert.equal(await statusWith(first.access), 200, 'access tokens of a log-in that lives');
  assert.equal(await statusWith(second.access), 200);
  const third = tokensOf(await refresh(second.refresh));

  const reused = await refresh(first.refresh);
  assert.deepEqual([reused.status, reused.body['code']], [401, 'unauthenticated']);
  for (const { access } of [first, second, third]) assert.equal(await statusWith(access), 401);
  assert.equal((await refresh(third.refresh)).status, 401);
  assert.equal((await refresh(first.refresh)).status, 401);
  assert.equal(await statusWith(other.access), 200, 'another log-in of the same user goes on');
  tokensOf(await refresh(other.refresh));
  assert.equal((await auditOf(userId, 'auth.refresh_reused')).length, 1);
});

test('of two that trade the same token at once one gets a new one, and then the log-in ends', async () => {
  await newPerson('racing');
  for (let round = 0; round < 5; round += 1) {
    const { access, refresh: token } = await login('racing');
    const answers = await Promise.all([refresh(token), refresh(token), refresh(token)]);
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    assert.equal(await statusWith(access), 401);
  }
});

test('refresh tokens that are unknown, of another kind, or have ended are refused', async () => {
  const userId = await newPerson('ended');
  const { access, refresh: token } = await login('ended');
  for (const bad of ['x', `${token}x`, token.slice(0, -1)]) assert.equal((await refresh(bad)).status, 401);
  assert.equal((await refresh(access)).status, 422, 'far too long');
  assert.equal(await statusWith(token), 401, 'a refresh token is no access token');
  await stack.database.query('update refresh_tokens set expires_at = now() where user_id = $1', [userId]);
  assert.equal((await refresh(token)).status, 401);
  assert.equal(await statusWith(access), 401);
});

test('POST /auth/logout ends the log-in at once, and can be repeated', async () => {
  const userId = await newPerson('leaving');
  const [one, two] = [await login('leaving'), await login('leaving')];
  const renewed = tokensOf(await refresh(one.refresh));
  const logout = (refresh_token: string) => stack.call('POST', '/auth/logout', { body: { refresh_token } });
  assert.equal((await logout(renewed.refresh)).status, 204);
  for (const { access } of [one, renewed]) assert.equal(await statusWith(access), 401);
  assert.equal((await refresh(renewed.refresh)).status, 401);
  assert.equal((await logout(renewed.refresh)).status, 204);
  assert.equal((await logout('unknown')).status, 204);
  assert.equal(await statusWith(two.access), 200);
  assert.equal((await auditOf(userId, 'auth.logout')).length, 1);
});

test('a new password, disabling and deleting end every log-in of the user at once', async () => {
  const userId = await newPerson('ending');
  const keys = await stack.asOperator('POST', `/users/${userId}/api-keys`, {});
  const apiKey = keys.body['api_key'] as string;
  const changes: [string, () => Promise<Answer>][] = [
    [
      'its own new password',
      async () => {
        const { access } = await login('ending');
        const body = { password: 'another horse', current_password: PASSWORD };
        return stack.call('PUT', `/users/${userId}`, { token: access, body });
      },
    ],
    ["an operator's new password", () => stack.asOperator('PUT', `/users/${userId}`, { password: PASSWORD })],
    ['disabling', () => stack.asOperator('PUT', `/users/${userId}`, { status: 'disabled' })],
  ];
  let password = PASSWORD;
  for (const [what, change] of changes) {
    const { access, refresh: token } = await login('ending', password);
    assert.equal(await statusWith(access), 200);
    assert.equal((await change()).status, 200, what);
    assert.equal(await statusWith(access), 401, what);
    assert.equal((await refresh(token)).status, 401, what);
    password = what.startsWith('its') ? 'another horse' : PASSWORD;
  }
  await stack.asOperator('PUT', `/users/${userId}`, { status: 'active' });
  assert.equal(await statusWith(apiKey), 200, 'keys are not log-ins');
  const { access, refresh: token } = await login('ending');
  await stack.asOperator('PUT', `/users/${userId}`, { email: 'renamed@customer.example' });
  assert.equal(await statusWith(access), 200, 'a new e-mail address ends nothing');
  await stack.asOperator('DELETE', `/users/${userId}`);
  for (const credential of [access, apiKey]) assert.equal(await statusWith(credential), 401);
  assert.equal((await refresh(token)).status, 401);
});

test('a log-in that began while the password was changed does not outlive it', async () => {
  const userId = await newPerson('crossing');
  for (let round = 0; round < 4; round += 1) {
    const [tried] = await Promise.all([
      tryLogin('crossing'),
      stack.asOperator('PUT', `/users/${userId}`, { password: `${PASSWORD} ${round}` }),
    ]);
    // Whichever was first: nothing that was had by the old password is good now.
    if (tried.status === 200) assert.equal(await statusWith(tokensOf(tried).access), 401);
    else assert.ok([401, 503].includes(tried.status));
    await stack.asOperator('PUT', `/users/${userId}`, { password: PASSWORD });
  }
});

test('users change their own password with proof of the old one', async () => {
  const userId = await newPerson('changing');
  const { access } = await login('changing');
  const change = (body: object) => stack.call('PUT', `/users/${userId}`, { token: access, body });
  const refused: object[] = [
    { password: 'another horse' },
    { password: 'another horse', current_password: 'wrong horse' },
    { password: 'another horse', current_password: '' },
  ];
  for (const body of refused) {
    const answer = await change(body);
    assert.deepEqual([answer.status, answer.body['errors'][0]['pointer']], [422, '/current_password']);
  }
  assert.equal((await change({ password: 'short', current_password: PASSWORD })).status, 422);
  assert.equal((await change({ plan: 'enterprise' })).status, 403);
  const done = await change({ password: 'another horse', current_password: PASSWORD });
  assert.equal(done.status, 200);
  assert.equal((await tryLogin('changing')).status, 401);
  await login('changing', 'another horse');

  const keysOnly = await stack.newUser('no-password-yet');
  const body = { password: PASSWORD, current_password: 'anything at all' };
  const first = await stack.call('PUT', `/users/${keysOnly.userId}`, { token: keysOnly.token, body });
  assert.deepEqual([first.status, first.body['errors'][0]['pointer']], [422, '/current_password']);
  assert.equal((await stack.asOperator('PUT', `/users/${keysOnly.userId}`, { password: PASSWORD })).status, 200);
  await login('no-password-yet');
});

test('a user has fifty log-ins at the most; the oldest makes room', async () => {
  const userId = await newPerson('crowded');
  const oldest = await login('crowded');
  await stack.database.query(
    `insert into refresh_tokens (jti, family, user_id, expires_at, created_at)
     select 'j' || n, 'f' || n, $1, now() + interval '1 day', now() + make_interval(secs => n)
     from generate_series(1, 49) n`,
    [userId],
  );
  assert.equal(await statusWith(oldest.access), 200);
  const newest = await login('crowded');
  assert.equal(await statusWith(oldest.access), 401);
  assert.equal(await statusWith(newest.access), 200);
});

test('who guesses is limited by address, and strangers do not lock out a user where it is logged in', async () => {
  // A cheap hash: this is about how many, not how long.
  const userId = await newPerson('besieged', {
    password_hash: CHEAP_HASH,
  });
  await stack.database.query(
    `insert into refresh_tokens (jti, family, user_id, expires_at, address)
     values ('besieged', 'besieged', $1, now() + interval '1 day', '192.0.2.7')`,
    [userId],
  );
  const guesses = async (address: string, count: number) => {
    const statuses: number[] = [];
    for (let i = 0; i < count; i += 1) statuses.push((await tryLogin('besieged', 'a guess', address)).status);
    return statuses;
  };
  const one = await guesses('198.51.100.1', 12);
  assert.deepEqual(one.slice(0, 10), Array(10).fill(401));
  const limited = await tryLogin('besieged', PASSWORD, '198.51.100.1');
  assert.deepEqual([limited.status, limited.body['code']], [429, 'rate_limited']);
  assert.match(limited.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  assert.equal((await tryLogin('somebody-else', 'a guess', '198.51.100.1')).status, 429, 'whatever name it tries');
  assert.equal((await tryLogin('besieged', 'a guess', '198.51.100.2')).status, 401, 'others are not concerned');

  // Many addresses: the account's own bucket is used up at a hundred.
  let refused = 0;
  for (let i = 0; i < 110 && refused === 0; i += 1) {
    const { status } = await tryLogin('besieged', 'a guess', `203.0.113.${i}`);
    if (status === 429) refused += 1;
  }
  assert.equal(refused, 1, 'the account is limited from everywhere');
  assert.equal((await tryLogin('besieged', PASSWORD, '203.0.113.200')).status, 429);
  assert.equal((await tryLogin('besieged', PASSWORD, '192.0.2.7')).status, 200, 'but not where it is logged in');
});

test('many at once are told to come again, or are answered: none is left hanging', async () => {
  await newPerson('crowd', { password_hash: CHEAP_HASH });
  const answers = await Promise.all(Array.from({ length: 30 }, () => tryLogin('crowd', 'wrong password')));
  assert.ok(answers.some(({ status }) => status === 401));
  for (const { status, headers } of answers) {
    assert.ok([401, 503].includes(status), String(status));
    if (status === 503) assert.equal(headers.get('retry-after'), '1');
  }
});

test('the sweep removes what has ended, and leaves what lives', async () => {
  const userId = await newPerson('swept');
  const { access, refresh: token } = await login('swept');
  await stack.database.query(
    `insert into refresh_tokens (jti, family, user_id, expires_at, revoked_at) values
       ('over', 'over', $1, now() - interval '1 second', null),
       ('revoked', 'revoked', $1, now() + interval '1 day', now() - interval '25 hours'),
       ('just-revoked', 'revoked', $1, now() + interval '1 day', now())`,
    [userId],
  );
  await stack.sweep();
  const { rows } = await stack.database.query(
    `select jti from refresh_tokens where user_id = $1 and length(jti) < 64`,
    [userId],
  );
  assert.deepEqual(rows, [{ jti: 'just-revoked' }]);
  assert.equal(await statusWith(access), 200);
  tokensOf(await refresh(token));
});
