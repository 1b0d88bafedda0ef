import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { FakeRelay } from './fake-relay.ts';
import { LiveHarness } from './live-harness.ts';
import { TestStack } from './test-stack.ts';

const PASSWORD = 'correct horse battery';
const kidOf = (token: string) => decodeProtectedHeader(token).kid ?? '';

interface Key {
  kid: string;
  purpose: string;
  algorithm: string;
  state: string;
  created_at: string;
  expires_at: string | null;
}

describe('rotation', () => {
  test('a new ticket key reaches every relay before it signs, and the old one verifies on', async () => {
    const live = await LiveHarness.start();
    try {
      const [one, two] = [await live.relay(), await live.relay()];
      const tenant = await live.tenant();
      const ticketOf = async () => (await live.session(tenant)).ticket;
      const before = await ticketOf();
      const made = await live.api<Key>('POST', '/signing-keys/rotate', { purpose: 'ticket' });
      assert.deepEqual(
        [made.purpose, made.algorithm, made.state, made.expires_at],
        ['ticket', 'ES256', 'active', null],
      );
      assert.notEqual(made.kid, kidOf(before));

      for (const relay of [one, two]) {
        const { ticket_keys } = await relay.receive('keys');
        assert.deepEqual(new Set(ticket_keys.keys.map(({ kid }) => kid)), new Set([made.kid, kidOf(before)]));
        await jwtVerify(before, createLocalJWKSet(ticket_keys as JSONWebKeySet), { audience: 'tunnox-relay' });
      }
      assert.equal(kidOf(await ticketOf()), kidOf(before), 'nothing is signed yet with what relays have just heard');
      const late = await live.relay();
      assert.ok(
        late.registration.ticket_keys.keys.some(({ kid }) => kid === made.kid),
        'who registers hears it',
      );
      const asked = (await (await one.call('/keys')).json()) as { keys: { kid: string }[] };
      assert.equal(asked.keys[0]?.kid, made.kid);

      // Until it signs, every sweep says it again: a Worker may have died between the change and the telling.
      await live.plane.runScheduled();
      assert.ok((await one.receive('keys')).ticket_keys.keys.some(({ kid }) => kid === made.kid));

      const listed = (await live.api<{ signing_keys: Key[] }>('GET', '/signing-keys')).signing_keys;
      const tickets = listed.filter(({ purpose }) => purpose === 'ticket');
      assert.deepEqual(
        tickets.map(({ kid, state }) => [kid, state]),
        [
          [made.kid, 'active'],
          [kidOf(before), 'retired'],
        ],
      );
      const hours = (Date.parse(tickets[1]?.expires_at ?? '') - Date.now()) / 3_600_000;
      assert.ok(hours > 12 && hours < 12.5, `${hours} hours`);
      assert.ok(!/private|"d"/.test(JSON.stringify(listed)));
      const [audited] = await live.sql<{ after: object }>(
        `select after from audit_log where action = 'signing_key.rotate' and object_id = $1`,
        made.kid,
      );
      assert.deepEqual(audited?.after, { purpose: 'ticket', kid: made.kid, algorithm: 'ES256' });

      // Both have had their time: the sweep takes the old one away, and relays' and agents' tokens go on.
      await live.sql(`update signing_keys set created_at = created_at - interval '1 hour' where purpose = 'ticket'`);
      await live.sql(`update signing_keys set expires_at = now() where state = 'retired'`);
      await live.plane.runScheduled();
      const left = await live.sql<{ kid: string }>(`select kid from signing_keys where purpose = 'ticket'`);
      assert.deepEqual(left, [{ kid: made.kid }]);
      assert.equal((await one.call('/keys')).status, 200);
      assert.equal(kidOf(await ticketOf()), made.kid);
    } finally {
      await live.stop();
    }
  });

  test('every purpose rotates, tokens of before are good, and only operators do it', async () => {
    const stack = await TestStack.start();
    try {
      await stack.asOperator('POST', '/users', {
        ...{ username: 'ada', email: 'ada@customer.example', password: PASSWORD },
      });
      const login = async () => {
        const { body } = await stack.call('POST', '/auth/login', { body: { login: 'ada', password: PASSWORD } });
        return body['access_token'] as string;
      };
      const relay = new FakeRelay(stack.url);
      const { body: joining } = await stack.asOperator('POST', '/join-tokens', {});
      await relay.register({ join_token: joining['join_token'] as string });
      const anonymous = await stack.newAnonymous();
      const person = await login();
      for (const purpose of ['ticket', 'access', 'relay', 'session']) {
        const made = await stack.asOperator('POST', '/signing-keys/rotate', { purpose });
        assert.equal(made.status, 201, purpose);
        for (const token of [person, anonymous.token]) {
          assert.equal((await stack.call('GET', '/me', { token })).status, 200, purpose);
          const refused = await stack.call('POST', '/signing-keys/rotate', { token, body: { purpose } });
          assert.deepEqual([refused.status, refused.body['code']], [403, 'forbidden']);
          assert.equal((await stack.call('GET', '/signing-keys', { token })).status, 403);
        }
        assert.equal((await relay.call('/peers')).status, 200, purpose);
      }
      const next = await login();
      assert.notEqual(kidOf(next), kidOf(person));
      assert.equal((await stack.call('GET', '/me', { token: next })).status, 200);
      assert.equal((await stack.asOperator('POST', '/signing-keys/rotate', { purpose: 'other' })).status, 422);

      const at = await Promise.all(
        Array.from({ length: 4 }, () => stack.asOperator('POST', '/signing-keys/rotate', { purpose: 'session' })),
      );
      assert.ok(at.some(({ status }) => status === 201));
      for (const { status } of at) assert.ok([201, 409].includes(status), String(status));
      const { rows } = await stack.database.query(
        `select count(*)::int as count from signing_keys where purpose = 'session' and state = 'active'`,
      );
      assert.deepEqual(rows, [{ count: 1 }]);
      let status = 201;
      for (let i = 0; i < 10 && status === 201; i += 1) {
        ({ status } = await stack.asOperator('POST', '/signing-keys/rotate', { purpose: 'session' }));
      }
      assert.equal(status, 409, 'not without end');
      assert.equal((await stack.call('GET', '/me', { token: await login() })).status, 200);
      assert.equal((await stack.call('GET', '/me', { token: person })).status, 200);
    } finally {
      await stack.stop();
    }
  });
});

describe('SESSION_ALGORITHM', () => {
  for (const algorithm of ['RS256', 'HS256']) {
    test(`${algorithm} signs log-ins, and nothing that relays must verify`, async () => {
      const stack = await TestStack.start({ SESSION_ALGORITHM: algorithm });
      try {
        await stack.asOperator('POST', '/users', {
          ...{ username: 'ada', email: 'ada@customer.example', password: PASSWORD },
        });
        const { body } = await stack.call('POST', '/auth/login', { body: { login: 'ada', password: PASSWORD } });
        const token = body['access_token'] as string;
        assert.equal(decodeProtectedHeader(token).alg, algorithm);
        assert.equal((await stack.call('GET', '/me', { token })).body['user']['username'], 'ada');
        const { token: agent } = await stack.newAnonymous();
        assert.equal(decodeProtectedHeader(agent).alg, 'ES256');
        const { body: listed } = await stack.asOperator('GET', '/signing-keys');
        const key = (listed['signing_keys'] as Key[]).find(({ purpose }) => purpose === 'session');
        assert.deepEqual([key?.kid, key?.algorithm], [kidOf(token), algorithm]);
        const [head, claims] = token.split('.');
        const none = Buffer.from(JSON.stringify({ alg: 'none', kid: kidOf(token) })).toString('base64url');
        for (const forged of [`${none}.${claims}.`, `${head}.${claims}.AAAA`]) {
          assert.equal((await stack.call('GET', '/me', { token: forged })).status, 401);
        }
      } finally {
        await stack.stop();
      }
    });
  }
});
