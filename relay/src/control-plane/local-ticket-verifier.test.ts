import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ecPublicJwkSchema, type Jwks } from '@tunnox/domain/relay-api';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { TicketError } from '../session/ticket-error.ts';
import { LocalTicketVerifier } from './local-ticket-verifier.ts';

const NOW_MS = Date.UTC(2026, 0, 1);

async function signer(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...ecPublicJwkSchema.parse(await exportJWK(publicKey)), kid };
  const sign = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> =>
    new SignJWT({
      iss: 'tunnox',
      aud: 'tunnox-relay',
      sub: '600000000',
      user_id: 100_000_001,
      group: 'default',
      generation: 1,
      iat: NOW_MS / 1000,
      exp: NOW_MS / 1000 + 3600,
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES256', kid, ...header })
      .sign(privateKey);
  return { jwk, sign };
}

function bench(keys: Jwks['keys'], later: Jwks['keys'] | null) {
  const clock = new FakeClock(NOW_MS);
  const calls = { fetches: 0 };
  const fetchKeys = async (): Promise<Jwks> => {
    calls.fetches++;
    if (later === null) throw new Error('away');
    return { keys: later };
  };
  return { clock, calls, verifier: new LocalTicketVerifier({ clock, fetchKeys }, { keys }) };
}

async function codeOf(verified: Promise<unknown>): Promise<string> {
  try {
    await verified;
    return 'good';
  } catch (error) {
    assert.ok(error instanceof TicketError);
    return error.code;
  }
}

test('LocalTicketVerifier reads a good ticket without asking anybody', async () => {
  const { jwk, sign } = await signer('a');
  const { verifier, calls } = bench([jwk], null);
  const claims = await verifier.verify(await sign());
  assert.equal(claims.sub, '600000000');
  assert.equal(claims.generation, 1);
  assert.equal(calls.fetches, 0);
});

test('LocalTicketVerifier refuses what is expired, forged, meant for others, or not complete', async () => {
  const { jwk, sign } = await signer('a');
  const forger = await signer('a');
  const { verifier, clock } = bench([jwk], null);
  const cases: [ticket: string, code: string][] = [
    [await sign({ exp: NOW_MS / 1000 - 61 }), 'ticket_expired'],
    [await sign({ exp: NOW_MS / 1000 - 59 }), 'good'],
    [await forger.sign(), 'bad_ticket'],
    [await sign({ aud: 'tunnox-register' }), 'bad_ticket'],
    [await sign({ iss: 'somebody' }), 'bad_ticket'],
    [await sign({ sub: 'x' }), 'bad_ticket'],
    [await sign({ generation: 0 }), 'bad_ticket'],
    [await sign({ exp: undefined }), 'bad_ticket'],
    [(await sign()).replace(/\.[^.]*$/, '.'), 'bad_ticket'],
    [`${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await sign()).split('.')[1]}.`, 'bad_ticket'],
    ['', 'bad_ticket'],
    ['a.b.c', 'bad_ticket'],
  ];
  for (const [ticket, code] of cases) assert.equal(await codeOf(verifier.verify(ticket)), code, ticket);
  clock.advance(3_661_000);
  assert.equal(await codeOf(verifier.verify(await sign())), 'ticket_expired');
});

test('LocalTicketVerifier asks for a key that it does not know, together for many and not too often', async () => {
  const old = await signer('old');
  const young = await signer('young');
  const { verifier, calls, clock } = bench([old.jwk], [old.jwk, young.jwk]);
  const tickets = await Promise.all(Array.from({ length: 5 }, () => young.sign()));
  const codes = await Promise.all(tickets.map((ticket) => codeOf(verifier.verify(ticket))));
  assert.deepEqual(new Set(codes), new Set(['good']));
  assert.equal(calls.fetches, 1);
  const invented = await signer('invented');
  for (let n = 0; n < 10; n++) assert.equal(await codeOf(verifier.verify(await invented.sign())), 'bad_ticket');
  assert.equal(calls.fetches, 1);
  clock.advance(5000);
  assert.equal(await codeOf(verifier.verify(await invented.sign())), 'bad_ticket');
  assert.equal(calls.fetches, 2);
});

test('LocalTicketVerifier goes on with the keys it has while the control plane is away', async () => {
  const known = await signer('known');
  const unknown = await signer('unknown');
  const { verifier } = bench([known.jwk], null);
  assert.equal(await codeOf(verifier.verify(await unknown.sign())), 'bad_ticket');
  assert.equal(await codeOf(verifier.verify(await known.sign())), 'good');
});
