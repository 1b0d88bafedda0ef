import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { SigningKey } from '@tunnox/domain/api/signing-keys';
import {
  createLocalJWKSet,
  type CryptoKey,
  decodeJwt,
  decodeProtectedHeader,
  exportSPKI,
  importJWK,
  type JSONWebKeySet,
  jwtVerify,
  SignJWT,
} from 'jose';
import { createCipher } from '../services/cipher.ts';
import type {
  KeyPurpose,
  KeyReplacement,
  NewSigningKey,
  SigningKeyRepository,
  StoredSigningKey,
} from '../services/signing-key-ports.ts';
import { createClientTokens } from './client-tokens.ts';
import { KNOWN_BEFORE_MS, retiredForS } from './key-times.ts';
import { createLoginTokens } from './login-tokens.ts';
import { createRelayTokens } from './relay-tokens.ts';
import { SigningKeys } from './signing-keys.ts';

const NOW = 1_800_000_000_000;
const SUBJECT = { clientId: 600_000_000, userId: 100_000_001, generation: 3 };

/** The table, with its unique index on the active key of a purpose. */
class FakeKeyTable implements SigningKeyRepository {
  readonly rows: (StoredSigningKey & { purpose: KeyPurpose; expiresAtMs: number | null })[] = [];
  readonly clock = { now: NOW };
  reads = 0;
  away = false;

  async load(purpose: KeyPurpose): Promise<StoredSigningKey[]> {
    this.reads += 1;
    if (this.away) throw new TunnoxError('unavailable', 'away');
    return this.rows
      .filter((row) => row.purpose === purpose && (row.expiresAtMs === null || row.expiresAtMs > this.clock.now))
      .sort((a, b) => b.createdAtMs - a.createdAtMs || Number(b.active) - Number(a.active));
  }

  async list(): Promise<SigningKey[]> {
    return this.rows.map(toShown);
  }

  async add(purpose: KeyPurpose, key: NewSigningKey): Promise<void> {
    if (this.rows.some((row) => row.purpose === purpose && row.active)) return;
    this.rows.push({ ...key, purpose, active: true, createdAtMs: this.clock.now, expiresAtMs: null });
  }

  async replace(purpose: KeyPurpose, key: NewSigningKey, how: KeyReplacement): Promise<SigningKey | null> {
    const since = how.countedForS === null ? 0 : this.clock.now - how.countedForS * 1000;
    const counted = this.rows.filter((row) => row.purpose === purpose && row.createdAtMs > since);
    if (counted.length >= how.keysMax) return null;
    for (const row of this.rows.filter((one) => one.purpose === purpose && one.active)) {
      Object.assign(row, { active: false, expiresAtMs: this.clock.now + how.retiredForS * 1000 });
    }
    await this.add(purpose, key);
    return toShown(this.rows.at(-1)!);
  }

  async removeEnded(): Promise<void> {}
}

function toShown({ kid, purpose, algorithm, active, createdAtMs }: FakeKeyTable['rows'][number]): SigningKey {
  const state = active ? 'active' : 'retired';
  return { kid, purpose, algorithm, state, created_at: new Date(createdAtMs).toISOString(), expires_at: null };
}

const AUDIT = {
  actorType: 'operator',
  actorId: null,
  requestId: null,
  action: 'x',
  before: null,
  after: null,
} as const;

function setUp(table = new FakeKeyTable(), sessionAlgorithm: 'ES256' | 'RS256' | 'HS256' = 'ES256') {
  const { clock } = table;
  const cipher = createCipher(new Uint8Array(32).fill(7), 'signing-key');
  const keys = new SigningKeys({ repository: table, cipher, now: () => clock.now }, { sessionAlgorithm });
  const clients = createClientTokens(keys, () => clock.now);
  const relays = createRelayTokens(keys, () => clock.now);
  const logins = createLoginTokens(keys, () => clock.now);
  const rotate = async (purpose: KeyPurpose) =>
    table.replace(purpose, await keys.make(purpose), {
      ...{ retiredForS: retiredForS(purpose), keysMax: 100, countedForS: null, audit: AUDIT },
    });
  return { table, clock, keys, clients, relays, logins, rotate };
}

const RELAY = { nodeId: 'node-001', incarnation: '01J00000000000000000000000', fingerprint: null };
const LOGIN = { userId: 100_000_001, family: 'family-of-the-test' };
const kidOf = (token: string) => decodeProtectedHeader(token).kid;
const refused = (error: unknown) => error instanceof TunnoxError && error.code === 'unauthenticated';

describe('SigningKeys', () => {
  test('makes one key for a purpose, also when several Workers begin at once', async () => {
    const table = new FakeKeyTable();
    const workers = Array.from({ length: 5 }, () => setUp(table));
    const kids = await Promise.all(workers.map(async ({ keys }) => (await keys.signing('ticket')).kid));
    assert.equal(new Set(kids).size, 1);
    assert.equal(table.rows.length, 1);
    assert.ok(!table.rows[0]!.privateKeyEncrypted.includes('"d"'), 'the private half is encrypted');
  });

  test('publishes public halves only, with what a verifier needs', async () => {
    const { keys } = setUp();
    const { keys: published } = await keys.jwks('ticket');
    assert.equal(published.length, 1);
    assert.deepEqual(Object.keys(published[0]!).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  });

  test('reads the table once a minute, and goes on with what it has while it cannot', async () => {
    const { keys, table, clock } = setUp();
    const first = await keys.signing('ticket');
    const reads = table.reads;
    clock.now += 59_000;
    await keys.signing('ticket');
    assert.equal(table.reads, reads);
    table.away = true;
    clock.now += 60_000;
    assert.equal((await keys.signing('ticket')).kid, first.kid);
    assert.equal(table.reads, reads + 1);
  });

  test('signs with a new ticket key once relays have had time to hear of it, and publishes it at once', async () => {
    const { keys, clients, clock, rotate } = setUp();
    const old = await clients.ticket(SUBJECT, 'default');
    clock.now += 3_600_000;
    const made = await rotate('ticket');
    assert.deepEqual(
      (await keys.jwks('ticket')).keys.map(({ kid }) => kid),
      [made?.kid, kidOf(old.token)],
    );
    clock.now += KNOWN_BEFORE_MS.ticket - 1;
    assert.equal(kidOf((await clients.ticket(SUBJECT, 'default')).token), kidOf(old.token));
    clock.now += 1;
    assert.equal(kidOf((await clients.ticket(SUBJECT, 'default')).token), made?.kid);
  });

  test('of several new keys none signs too early, however fast they follow each other', async () => {
    const { clients, clock, rotate } = setUp();
    const first = kidOf((await clients.ticket(SUBJECT, 'default')).token);
    clock.now += 3_600_000;
    const second = await rotate('ticket');
    clock.now += 100_000;
    const third = await rotate('ticket');
    const signsAfter = async (ms: number) => {
      clock.now += ms;
      return kidOf((await clients.ticket(SUBJECT, 'default')).token);
    };
    assert.equal(await signsAfter(0), first);
    assert.equal(await signsAfter(KNOWN_BEFORE_MS.ticket - 100_000), second?.kid);
    assert.equal(await signsAfter(100_000), third?.kid);
  });

  test('a retired key verifies until its last token has ended, and not for ever', async () => {
    for (const purpose of ['ticket', 'relay'] as const) {
      const { keys, clients, relays, clock, rotate } = setUp();
      const sign = async () => (purpose === 'ticket' ? clients.ticket(SUBJECT, 'default') : relays.issue(RELAY));
      const first = kidOf((await sign()).token) ?? '';
      clock.now += 3_600_000;
      await rotate(purpose);
      clock.now += KNOWN_BEFORE_MS[purpose] - 1;
      const last = await sign();
      assert.equal(kidOf(last.token), first);
      clock.now = Date.parse(last.expiresAt);
      assert.notEqual(await keys.verifying(purpose, first), null, purpose);
      clock.now += 3_600_000;
      assert.equal(await keys.verifying(purpose, first), null, purpose);
    }
  });

  test('finds a key that another Worker has made a moment ago, without a read for each invented one', async () => {
    const table = new FakeKeyTable();
    const [one, two] = [setUp(table), setUp(table)];
    await two.clients.accessToken(SUBJECT);
    await one.rotate('access');
    const { token } = await one.clients.accessToken(SUBJECT);
    assert.equal((await two.clients.verify(token)).sub, '600000000');
    const reads = table.reads;
    const invented = `${btoa(JSON.stringify({ alg: 'ES256', kid: 'invented' }))}.e30.AAAA`;
    for (let tries = 0; tries < 20; tries += 1) await assert.rejects(two.clients.verify(invented), refused);
    assert.ok(table.reads - reads <= 1);
  });

  for (const algorithm of ['ES256', 'RS256', 'HS256'] as const) {
    test(`signs log-ins with ${algorithm} when the setting says so, and nothing else`, async () => {
      const { table, logins, clients, keys } = setUp(new FakeKeyTable(), algorithm);
      const { token } = await logins.issue(LOGIN);
      assert.equal(decodeProtectedHeader(token).alg, algorithm);
      assert.deepEqual(await logins.verify(token), LOGIN);
      assert.equal(decodeProtectedHeader((await clients.accessToken(SUBJECT)).token).alg, 'ES256');
      const row = table.rows.find(({ purpose }) => purpose === 'session')!;
      assert.equal(row.publicJwk === null, algorithm === 'HS256');
      assert.ok(!/"(?:d|k)"/.test(JSON.stringify(row)), 'what is secret is encrypted');
      assert.equal((await keys.jwks('session')).keys.length, algorithm === 'ES256' ? 1 : 0);
    });
  }

  test('another algorithm in the setting makes a new key, and the old one still verifies', async () => {
    const table = new FakeKeyTable();
    const before = await setUp(table, 'ES256').logins.issue(LOGIN);
    for (const algorithm of ['RS256', 'HS256'] as const) {
      const { logins } = setUp(table, algorithm);
      const { token } = await logins.issue(LOGIN);
      assert.equal(decodeProtectedHeader(token).alg, algorithm);
      assert.deepEqual(await logins.verify(token), LOGIN);
      assert.deepEqual(await logins.verify(before.token), LOGIN);
    }
    assert.deepEqual(
      table.rows.map(({ algorithm, active }) => [algorithm, active]),
      [
        ['ES256', false],
        ['RS256', false],
        ['HS256', true],
      ],
    );
  });

  test('two versions with different settings side by side do not make keys for ever', async () => {
    const table = new FakeKeyTable();
    for (let turn = 0; turn < 20; turn += 1) {
      const { logins } = setUp(table, turn % 2 === 0 ? 'ES256' : 'HS256');
      const { token } = await logins.issue(LOGIN);
      assert.deepEqual(await logins.verify(token), LOGIN);
    }
    assert.ok(table.rows.length <= 5, `${table.rows.length} keys`);
  });
});

describe('createLoginTokens()', () => {
  test('says who, in which log-in, for 15 minutes, and is never the same twice', async () => {
    const { logins, clock } = setUp();
    const { token, expiresAt } = await logins.issue(LOGIN);
    const { jti, ...claims } = decodeJwt(token);
    assert.deepEqual(claims, {
      ...{ iss: 'tunnox', aud: 'tunnox-api', sub: '100000001', role: 'user', sid: 'family-of-the-test' },
      ...{ iat: NOW / 1000, exp: NOW / 1000 + 900 },
    });
    assert.equal(Date.parse(expiresAt), NOW + 900_000);
    assert.notEqual(decodeJwt((await logins.issue(LOGIN)).token).jti, jti);
    clock.now += 900_000 + 10_000;
    await assert.rejects(logins.verify(token), (error) => refused(error) && /expired/.test(String(error)));
  });

  test('takes only what its own key has signed with its own algorithm', async () => {
    const es256 = setUp();
    const { token } = await es256.logins.issue(LOGIN);
    const kid = kidOf(token)!;
    const stored = es256.table.rows.find((row) => row.kid === kid)!;
    const claims = decodeJwt(token);
    const sign = (
      { header = {}, payload = {} }: { header?: object; payload?: object },
      secret: Uint8Array,
    ): Promise<string> =>
      new SignJWT({ ...claims, ...payload })
        .setProtectedHeader({ alg: 'HS256', kid, typ: 'JWT', ...header })
        .sign(secret);
    const utf8 = (text: string) => new TextEncoder().encode(text);
    const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const publicJwk = stored.publicJwk as unknown as Record<string, string>;
    const pem = await exportSPKI((await importJWK({ ...publicJwk }, 'ES256', { extractable: true })) as CryptoKey);
    const [head, body, signature] = token.split('.') as [string, string, string];
    const own = await es256.keys.signing('session');
    const signOwn = (payload: object, header: object = {}) =>
      new SignJWT({ ...claims, ...payload })
        .setProtectedHeader({ alg: 'ES256', kid, typ: 'JWT', ...header })
        .sign(own.material);
    const bad: Record<string, string> = {
      'HS256 with the public key as JWK': await sign({}, utf8(JSON.stringify(publicJwk))),
      'HS256 with the public key as PEM': await sign({}, utf8(pem)),
      'HS256 with the x of the public key': await sign({}, Buffer.from(publicJwk['x'] ?? '', 'base64url')),
      'no algorithm': `${encoded({ alg: 'none', kid, typ: 'JWT' })}.${body}.`,
      'no algorithm, with the signature': `${encoded({ alg: 'none', kid, typ: 'JWT' })}.${body}.${signature}`,
      'no kid': await signOwn({}, { kid: undefined }),
      'another kid': await signOwn({}, { kid: 'another' }),
      'a key in the token': await signOwn({}, { kid: 'another', jwk: publicJwk }),
      'another audience': await signOwn({ aud: 'tunnox-relay' }),
      'another issuer': await signOwn({ iss: 'other' }),
      'no end': await signOwn({ exp: undefined }),
      'another role': await signOwn({ role: 'operator' }),
      'no log-in': await signOwn({ sid: undefined }),
      'no user': await signOwn({ sub: '-1' }),
      'changed claims': `${head}.${encoded({ ...claims, sub: '100000002' })}.${signature}`,
      "an agent's access token": (await es256.clients.accessToken(SUBJECT)).token,
      'a ticket': (await es256.clients.ticket(SUBJECT, 'default')).token,
      "a relay's token": (await es256.relays.issue(RELAY)).token,
    };
    assert.deepEqual(await es256.logins.verify(await signOwn({})), LOGIN, 'made in the same way, but right');
    for (const [what, one] of Object.entries(bad)) await assert.rejects(es256.logins.verify(one), refused, what);
    await assert.rejects(es256.clients.verify(token), refused, 'nor do agents have it');
    await assert.rejects(es256.relays.verify(token), refused, 'nor relays');

    const hs256 = setUp(new FakeKeyTable(), 'HS256');
    const symmetric = await hs256.keys.signing('session');
    const crossed = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS512', kid: symmetric.kid })
      .sign(symmetric.material);
    await assert.rejects(hs256.logins.verify(crossed), refused, 'the right secret with another algorithm');
  });
});

describe('createClientTokens()', () => {
  test('makes tickets that a relay verifies with the published keys alone', async () => {
    const { clients, keys } = setUp();
    const { token, expiresAt } = await clients.ticket(SUBJECT, 'default');
    const { payload } = await jwtVerify(token, createLocalJWKSet((await keys.jwks('ticket')) as JSONWebKeySet), {
      issuer: 'tunnox',
      audience: 'tunnox-relay',
      currentDate: new Date(NOW),
    });
    assert.deepEqual(payload, {
      iss: 'tunnox',
      aud: 'tunnox-relay',
      sub: '600000000',
      user_id: 100_000_001,
      group: 'default',
      generation: 3,
      iat: NOW / 1000,
      exp: NOW / 1000 + 12 * 3600,
    });
    assert.equal(expiresAt, new Date(NOW + 12 * 3_600_000).toISOString());
  });

  test('verifies its access tokens for an hour', async () => {
    const { clients, clock } = setUp();
    const { token } = await clients.accessToken(SUBJECT);
    assert.deepEqual(await clients.verify(token), {
      role: 'client',
      sub: '600000000',
      user_id: 100_000_001,
      generation: 3,
    });
    clock.now += 3_600_000 + 10_000;
    await assert.rejects(clients.verify(token), (error) => refused(error) && /expired/.test(String(error)));
  });

  test('refuses tokens of other purposes, changed ones, and what is no token', async () => {
    const { clients, relays } = setUp();
    const { token: ticket } = await clients.ticket(SUBJECT, 'default');
    const { token: relay } = await relays.issue({
      nodeId: 'node-001',
      incarnation: '01J00000000000000000000000',
      fingerprint: null,
    });
    const { token } = await clients.accessToken(SUBJECT);
    const [head, , signature] = token.split('.');
    const claims = btoa(
      JSON.stringify({ sub: '1', role: 'client', user_id: null, aud: 'tunnox-api', iss: 'tunnox', exp: 9e9 }),
    );
    const unsigned = `${btoa(JSON.stringify({ alg: 'none' }))}.${claims}.`;
    for (const bad of [ticket, relay, `${head}.${claims}.${signature}`, unsigned, `${token}A`, 'a.b.c', '', 'x']) {
      await assert.rejects(clients.verify(bad), refused);
    }
  });
});

describe('createRelayTokens()', () => {
  test('binds a token to node and incarnation for a day', async () => {
    const { relays, clock } = setUp();
    const identity = { nodeId: 'node-007', incarnation: '01J00000000000000000000000', fingerprint: null };
    const { token } = await relays.issue(identity);
    assert.deepEqual(await relays.verify(token), identity);
    clock.now += 24 * 3_600_000 + 10_000;
    await assert.rejects(relays.verify(token), refused);
  });
});
