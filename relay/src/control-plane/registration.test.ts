import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { RegisterAnswer, RegisterRequest } from '@tunnox/domain/relay-api';
import { createLogger } from '@tunnox/observability/logger';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { jwtVerify } from 'jose';
import { ControlPlaneError } from './control-plane-error.ts';
import { Registration, RegistrationRefused } from './registration.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
const identity = {
  privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  certificatePem: '',
  publicJwk: { kty: 'EC' as const, crv: 'P-256' as const, x, y },
  fingerprint: 'a'.repeat(64),
};
const description = {
  region: 'default',
  public_address: 'relay.example.com',
  join_token: 'tnx_join_1',
  ports: { agent_tcp: 1, agent_ws: 2, http: 3, https: 4, bridge: 5, metrics: 6, public_from: 7, public_to: 8 },
  version: '1',
};
const log = createLogger({ name: 'test', level: 'silent' });

function answer(clock: FakeClock): RegisterAnswer {
  return {
    node_id: 'node-001',
    incarnation: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    group: 'default',
    token: `token-${clock.now()}`,
    token_expires_at: new Date(clock.now() + 86_400_000).toISOString(),
    lease_ms: 30_000,
    base_domains: ['example.com'],
    ticket_keys: { keys: [] },
    peers: [],
  };
}

function refused(status: number, code: string): ControlPlaneError {
  return new ControlPlaneError(`answers ${code}`, { status, code, retryAfterMs: null });
}

/** A registration whose calls are answered by `replies` one after the other, then always well. */
function bench(...replies: ControlPlaneError[]) {
  const clock = new FakeClock(Date.UTC(2026, 0, 1));
  const calls: RegisterRequest[] = [];
  const tokens: string[] = [];
  const waiters: { count: number; resolve: () => void }[] = [];
  const api = {
    register: async (request: RegisterRequest) => {
      calls.push(request);
      setImmediate(() => {
        for (const waiter of waiters) if (calls.length >= waiter.count) waiter.resolve();
      });
      const reply = replies.shift();
      if (reply !== undefined) throw reply;
      return answer(clock);
    },
    setToken: (token: string) => void tokens.push(token),
  };
  const registration = new Registration({ api, identity, clock, random: () => 0.5, log }, description);
  /** Resolves a turn after call number `count`. */
  const called = (count: number): Promise<void> => new Promise((resolve) => waiters.push({ count, resolve }));
  return { clock, calls, tokens, registration, called };
}

test('Registration.register() proves the node key', async () => {
  const { registration, calls, clock, tokens } = bench();
  await registration.register(new AbortController().signal);
  assert.deepEqual(calls[0]?.public_jwk, identity.publicJwk);
  const { payload } = await jwtVerify(calls[0]?.assertion ?? '', publicKey, {
    audience: 'tunnox-register',
    currentDate: new Date(clock.now()),
  });
  assert.equal(payload.iat, clock.now() / 1000);
  assert.ok((payload.jti ?? '').length >= 8);
  assert.equal(calls[0]?.join_token, 'tnx_join_1');
  assert.equal(calls[0]?.incarnation, undefined);
  assert.equal(tokens.length, 1);
});

test('Registration.register() tries on while the control plane is away, busy, or the clocks differ', async () => {
  const { registration, calls, clock, called } = bench(
    refused(0, ''),
    refused(503, 'unavailable'),
    refused(401, 'clock_skew'),
    refused(409, 'nodes_exhausted'),
  );
  const registered = registration.register(new AbortController().signal);
  for (let tries = 1; tries <= 4; tries++) {
    await called(tries);
    clock.advance(30_000);
  }
  assert.equal((await registered).node_id, 'node-001');
  assert.equal(calls.length, 5);
  assert.equal(new Set(calls.map((call) => call.assertion)).size, 5);
});

test('Registration.register() gives up when it is refused, and says what to do', async () => {
  await assert.rejects(
    bench(refused(403, 'forbidden')).registration.register(new AbortController().signal),
    (error) => error instanceof RegistrationRefused && /TUNNOX_JOIN_TOKEN/.test(error.message),
  );
  await assert.rejects(
    bench(refused(401, 'unauthenticated')).registration.register(new AbortController().signal),
    RegistrationRefused,
  );
});

test('Registration.register() ends its wait when it is aborted', async () => {
  const { registration, called, clock } = bench(refused(0, ''));
  const aborter = new AbortController();
  const registered = registration.register(aborter.signal);
  await called(1);
  aborter.abort(new Error('stop'));
  await assert.rejects(registered, /stop/);
  assert.equal(clock.pending, 0);
});

test('Registration renews the token of the same incarnation at half of its life', async () => {
  const { registration, calls, clock, called, tokens } = bench();
  await registration.register(new AbortController().signal);
  let renewed = 0;
  registration.onRenewed = () => renewed++;
  clock.advance(43_199_000);
  assert.equal(calls.length, 1);
  clock.advance(2000);
  await called(2);
  assert.equal(calls[1]?.incarnation, '01ARZ3NDEKTSV4RRFFQ69G5FAV');
  assert.equal(renewed, 1);
  assert.equal(new Set(tokens).size, 2);
  registration.stop();
  assert.equal(clock.pending, 0);
});

test('Registration.renew() is called together by many and asks once; a 401 means another process has the node', async () => {
  const { registration, calls, clock, called } = bench();
  await registration.register(new AbortController().signal);
  registration.renew();
  assert.equal(calls.length, 1);
  clock.advance(10_000);
  for (let n = 0; n < 10; n++) registration.renew();
  await called(2);
  assert.equal(calls.length, 2);

  const taken = bench(refused(0, ''), refused(401, 'unauthenticated'));
  let superseded = 0;
  taken.registration.onSuperseded = () => superseded++;
  taken.registration.renew();
  await taken.called(1);
  assert.equal(superseded, 0);
  taken.clock.advance(30_000);
  await taken.called(2);
  assert.equal(superseded, 1);
  assert.equal(taken.clock.pending, 0);
});
