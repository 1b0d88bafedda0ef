import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { createCipher } from '../services/cipher.ts';
import type { KeyPurpose, SigningKeyRepository, StoredSigningKey } from '../services/live-ports.ts';
import { createClientTokens } from './client-tokens.ts';
import { createRelayTokens } from './relay-tokens.ts';
import { SigningKeys } from './signing-keys.ts';

const NOW = 1_800_000_000_000;
const SUBJECT = { clientId: 600_000_000, userId: 100_000_001, generation: 3 };

/** The table, with its unique index on the active key of a purpose. */
class FakeKeyTable implements SigningKeyRepository {
  readonly rows: (StoredSigningKey & { purpose: KeyPurpose })[] = [];
  reads = 0;
  away = false;

  async load(purpose: KeyPurpose): Promise<StoredSigningKey[]> {
    this.reads += 1;
    if (this.away) throw new TunnoxError('unavailable', 'away');
    return this.rows.filter((row) => row.purpose === purpose).sort((a, b) => Number(b.active) - Number(a.active));
  }

  async add(purpose: KeyPurpose, key: Omit<StoredSigningKey, 'active'>): Promise<void> {
    if (this.rows.some((row) => row.purpose === purpose && row.active)) return;
    this.rows.push({ ...key, purpose, active: true });
  }

  retire(purpose: KeyPurpose): void {
    for (const row of this.rows) if (row.purpose === purpose) row.active = false;
  }
}

function setUp(table = new FakeKeyTable()) {
  const clock = { now: NOW };
  const cipher = createCipher(new Uint8Array(32).fill(7), 'signing-key');
  const keys = new SigningKeys({ repository: table, cipher, now: () => clock.now });
  const clients = createClientTokens(keys, () => clock.now);
  const relays = createRelayTokens(keys, () => clock.now);
  return { table, clock, keys, clients, relays };
}

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

  test('still verifies with a retired key, and signs with the new one', async () => {
    const { keys, relays, table, clock } = setUp();
    const old = await relays.issue({ nodeId: 'node-001', incarnation: '01J00000000000000000000000' });
    table.retire('relay');
    clock.now += 61_000;
    const fresh = await relays.issue({ nodeId: 'node-001', incarnation: '01J00000000000000000000000' });
    assert.notEqual(decodeProtectedHeader(old.token).kid, decodeProtectedHeader(fresh.token).kid);
    assert.equal((await relays.verify(old.token)).nodeId, 'node-001');
    assert.equal((await keys.jwks('relay')).keys.length, 2);
  });

  test('finds a key that another Worker has made a moment ago, without a read for each invented one', async () => {
    const table = new FakeKeyTable();
    const [one, two] = [setUp(table), setUp(table)];
    await two.clients.accessToken(SUBJECT);
    table.retire('access');
    const { token } = await one.clients.accessToken(SUBJECT);
    two.clock.now += 1001;
    assert.equal((await two.clients.verify(token)).sub, '600000000');
    const reads = table.reads;
    const invented = `${btoa(JSON.stringify({ alg: 'ES256', kid: 'invented' }))}.e30.AAAA`;
    for (let tries = 0; tries < 20; tries += 1) await assert.rejects(two.clients.verify(invented), refused);
    assert.ok(table.reads - reads <= 1);
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
    const { token: relay } = await relays.issue({ nodeId: 'node-001', incarnation: '01J00000000000000000000000' });
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
    const identity = { nodeId: 'node-007', incarnation: '01J00000000000000000000000' };
    const { token } = await relays.issue(identity);
    assert.deepEqual(await relays.verify(token), identity);
    clock.now += 24 * 3_600_000 + 10_000;
    await assert.rejects(relays.verify(token), refused);
  });
});
