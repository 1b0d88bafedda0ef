import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import type { EcPublicJwk } from '@tunnox/domain/relay-api';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { ASSERTION_SKEW_MS, verifyNodeAssertion } from './node-assertion.ts';

const NOW = 1_800_000_000_000;
const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
const jwk = (await exportJWK(publicKey)) as EcPublicJwk;

function assertion(claims: { iat?: number; jti?: string; aud?: string }, key = privateKey): Promise<string> {
  const { iat = NOW / 1000, jti = 'a-random-jti', aud = 'tunnox-register' } = claims;
  return new SignJWT({ iat, jti, aud }).setProtectedHeader({ alg: 'ES256' }).sign(key);
}

const code = (expected: string) => (error: unknown) => error instanceof TunnoxError && error.code === expected;

test("verifyNodeAssertion() gives the fingerprint of the key's SubjectPublicKeyInfo", async () => {
  const proved = await verifyNodeAssertion(await assertion({}), jwk, NOW);
  const spki = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' });
  assert.equal(proved.fingerprint, createHash('sha256').update(spki).digest('hex'));
  assert.equal(proved.jti, 'a-random-jti');
  assert.ok(proved.expiresAtMs >= NOW + ASSERTION_SKEW_MS, 'remembered for as long as it would be taken');
});

test('verifyNodeAssertion() takes five minutes of difference, and says which clock is wrong beyond', async () => {
  for (const iat of [NOW - ASSERTION_SKEW_MS, NOW + ASSERTION_SKEW_MS]) {
    await verifyNodeAssertion(await assertion({ iat: iat / 1000 }), jwk, NOW);
  }
  const ahead = verifyNodeAssertion(await assertion({ iat: (NOW + 600_000) / 1000 }), jwk, NOW);
  await assert.rejects(ahead, (error) => code('clock_skew')(error) && /10 minutes ahead/.test(String(error)));
  const behind = verifyNodeAssertion(await assertion({ iat: (NOW - 600_000) / 1000 }), jwk, NOW);
  await assert.rejects(behind, (error) => code('clock_skew')(error) && /10 minutes behind/.test(String(error)));
});

test('verifyNodeAssertion() refuses another key, audience, and claims out of range', async () => {
  const other = await generateKeyPair('ES256');
  const refusals = [
    assertion({}, other.privateKey),
    assertion({ aud: 'tunnox-api' }),
    assertion({ jti: 'short' }),
    assertion({ iat: 1e300 }),
    assertion({ iat: -1 }),
    Promise.resolve('a.b.c'),
    Promise.resolve(''),
  ];
  for (const text of refusals) {
    await assert.rejects(verifyNodeAssertion(await text, jwk, NOW), code('unauthenticated'));
  }
  const offCurve = { ...jwk, x: jwk.y };
  await assert.rejects(verifyNodeAssertion(await assertion({}), offCurve, NOW), code('unauthenticated'));
});
