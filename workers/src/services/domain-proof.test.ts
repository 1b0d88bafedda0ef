import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { judgeProof, proofsOf, proofToken } from './domain-proof.ts';
import type { DnsAnswer } from './domain-proof-ports.ts';

const KEY = new Uint8Array(32).fill(7);
const BASES = ['tunnox.example', 'second.example'] as const;
const DOMAIN = 'shop.customer.example';

const nothing: DnsAnswer = { rcode: 'NOERROR', chain: [], values: [] };
const judge = (token: string, txt: Partial<DnsAnswer>, cname: Partial<DnsAnswer> = {}) =>
  judgeProof(DOMAIN, token, BASES, { txt: { ...nothing, ...txt }, cname: { ...nothing, ...cname } });
const results = (...args: Parameters<typeof judge>) => judge(...args).map(({ result }) => result);

test('proofToken() is the same each time, and of each tenant, name and key another', async () => {
  const token = await proofToken(KEY, 100_000_001, DOMAIN);
  assert.match(token, /^[a-z2-7]{32}$/);
  assert.equal(await proofToken(KEY, 100_000_001, DOMAIN), token);
  const others = await Promise.all([
    proofToken(KEY, 100_000_002, DOMAIN),
    proofToken(KEY, 100_000_001, 'shop.customer.examples'),
    proofToken(KEY, 10_000_000, `1 ${DOMAIN}`),
    proofToken(new Uint8Array(32).fill(8), 100_000_001, DOMAIN),
  ]);
  assert.equal(new Set([token, ...others]).size, 5);
});

test('proofsOf() makes labels and names that DNS allows', async () => {
  const token = await proofToken(KEY, 1, DOMAIN);
  assert.deepEqual(proofsOf(DOMAIN, token, 'tunnox.example'), [
    { type: 'TXT', name: `_tunnox.${DOMAIN}`, value: `tunnox-verify=${token}` },
    { type: 'CNAME', name: `_tunnox.${DOMAIN}`, value: `${token}.verify.tunnox.example` },
  ]);
});

test('judgeProof() accepts each way that is shown to people', () => {
  const accepted: [Partial<DnsAnswer>, Partial<DnsAnswer>][] = [
    [{ values: ['tunnox-verify=abc'] }, {}],
    [{ values: ['other', 'abc'] }, {}],
    [{ values: [' tunnox-verify=abc '] }, {}],
    [{ chain: ['dns.customer.example'], values: ['abc'] }, { chain: ['dns.customer.example'] }],
    [{}, { chain: ['abc.verify.tunnox.example'], rcode: 'NXDOMAIN' }],
    [{}, { chain: ['abc.verify.second.example'] }],
    [{ rcode: 'NXDOMAIN', chain: ['x.example', 'abc.verify.tunnox.example'] }, {}],
    [{ rcode: 'SERVFAIL' }, { chain: ['abc.verify.tunnox.example'] }],
  ];
  for (const [txt, cname] of accepted) assert.ok(judge('abc', txt, cname).some(({ matches }) => matches));
  // Tokens of the first release have capitals, which DNS does not keep.
  assert.ok(judge('aBc', {}, { chain: ['abc.verify.tunnox.example'] }).some(({ matches }) => matches));
});

test('judgeProof() says what is wrong', () => {
  assert.deepEqual(results('abc', { rcode: 'NXDOMAIN' }, { rcode: 'NXDOMAIN' }), ['no_name', 'no_name']);
  assert.deepEqual(results('abc', {}), ['no_record', 'no_record']);
  assert.deepEqual(results('abc', { values: ['tunnox-verify=abd'] }), ['other_value', 'no_record']);
  assert.deepEqual(results('abc', {}, { chain: ['abd.verify.tunnox.example'] }), ['no_record', 'other_value']);
  assert.deepEqual(results('abc', { rcode: 'SERVFAIL' }, { rcode: 'REFUSED' }), ['failed', 'failed']);
  assert.deepEqual(results('abc', { rcode: 'REFUSED', chain: ['x.example'] }, { chain: ['x.example'] }), [
    'no_record',
    'other_value',
  ]);
  const [txt] = judge('abc', { rcode: 'SERVFAIL' });
  assert.match(txt?.detail ?? '', /SERVFAIL/);
});

test('judgeProof() refuses what only resembles the proof', () => {
  for (const value of ['ABC', 'tunnox-verify=ABC', 'tunnox-verify=', '', 'tunnox-verify=abcd', 'xabc', 'verify=abc']) {
    assert.ok(!judge('abc', { values: [value] }).some(({ matches }) => matches), value);
  }
  for (const alias of ['abc.tunnox.example', 'abc.verify.tunnox.example.evil.example', 'x.abc.verify.tunnox.example']) {
    assert.ok(!judge('abc', {}, { chain: [alias] }).some(({ matches }) => matches), alias);
  }
});

test('judgeProof() lets no token of one tenant prove for another', async () => {
  const users = fc.uniqueArray(fc.integer({ min: 100_000_001, max: 100_000_999 }), { minLength: 2, maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(users, async ([mine = 0, theirs = 0]) => {
      const [own, other] = [await proofToken(KEY, mine, DOMAIN), await proofToken(KEY, theirs, DOMAIN)];
      const [txt, cname] = proofsOf(DOMAIN, other, BASES[0]);
      const answers: [Partial<DnsAnswer>, Partial<DnsAnswer>] = [
        { values: [txt?.value ?? ''] },
        { chain: [cname?.value ?? ''] },
      ];
      assert.ok(!judge(own, ...answers).some(({ matches }) => matches));
      assert.ok(judge(other, ...answers).every(({ matches }) => matches));
    }),
    { numRuns: 20 },
  );
});

test('judgeProof() shows no more than a page of what stands there', () => {
  const values = Array.from({ length: 500 }, () => 'x'.repeat(5000));
  const [txt] = judge('abc', { values: [...values, 'abc'] });
  assert.equal(txt?.matches, true);
  assert.equal(txt?.found.length, 10);
  assert.ok(txt?.found.every((value) => value.length <= 255));
});
