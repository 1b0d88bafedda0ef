import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import fc from 'fast-check';
import type { DnsResolver } from '../services/domain-proof-ports.ts';
import { CertificateFault } from './certificate-ports.ts';
import { type CaaQuestion, checkCaa } from './check-caa.ts';

const asked: string[] = [];
const resolverWith = (records: Record<string, string[] | 'SERVFAIL'>): DnsResolver => ({
  lookUp: async (name) => {
    asked.push(name);
    const found = records[name];
    if (found === 'SERVFAIL') return { rcode: 'SERVFAIL', chain: [], values: [] };
    return { rcode: found === undefined ? 'NXDOMAIN' : 'NOERROR', chain: [], values: found ?? [] };
  },
});
const BASE: CaaQuestion = { names: ['a.b.example.com'], identities: ['ca.example'], challenge: 'dns-01' };

const cases: [
  what: string,
  records: Record<string, string[] | 'SERVFAIL'>,
  question: Partial<CaaQuestion>,
  fault: RegExp | null,
][] = [
  ['nothing stands anywhere', {}, {}, null],
  ['the authority is named', { 'example.com': ['0 issue ca.example'] }, {}, null],
  [
    'it is named in other letters, among others',
    { 'example.com': ['0 issue x.example', '0 issue CA.Example ; a=b'] },
    {},
    null,
  ],
  [
    'others are named',
    { 'example.com': ['0 issue x.example'] },
    {},
    /of example\.com .* names x\.example, and not ca\.example/,
  ],
  ['nobody is named', { com: ['0 issue ;'] }, {}, /names nobody/],
  ['nobody is named, by an empty value', { com: ['0 issue '] }, {}, /names nobody/],
  ['the closest set counts', { 'b.example.com': ['0 issue ca.example'], 'example.com': ['0 issue ;'] }, {}, null],
  [
    'a set without issue lets all',
    { 'b.example.com': ['0 iodef mailto:a@b.c'], 'example.com': ['0 issue ;'] },
    {},
    null,
  ],
  ['issuewild is for wildcards alone', { 'b.example.com': ['0 issuewild ;'] }, {}, null],
  [
    'issuewild decides for wildcards',
    { 'b.example.com': ['0 issue ca.example', '0 issuewild ;'] },
    { names: ['*.b.example.com'] },
    /'issuewild' names nobody/,
  ],
  [
    'issue decides for wildcards else',
    { 'b.example.com': ['0 issue ca.example'] },
    { names: ['*.b.example.com'] },
    null,
  ],
  [
    'a critical tag is not known',
    { 'example.com': ['128 future x', '0 issue ca.example'] },
    {},
    /'future' is marked as critical/,
  ],
  ['a critical tag is known', { 'example.com': ['128 issue ca.example'] }, {}, null],
  [
    'the method is not allowed',
    { 'example.com': ['0 issue ca.example; validationmethods=http-01'] },
    {},
    /by http-01 only, and not by dns-01/,
  ],
  ['the method is allowed', { 'example.com': ['0 issue ca.example; validationmethods=http-01, dns-01'] }, {}, null],
  ['the name servers fail', { 'b.example.com': 'SERVFAIL' }, {}, /b\.example\.com cannot be looked up.*SERVFAIL/],
  ['the authority does not say its name', { 'example.com': ['0 issue x.example'] }, { identities: [] }, null],
  ['it does not, and nobody may', { 'example.com': ['0 issue ;'] }, { identities: [] }, /names nobody/],
];

for (const [what, records, question, fault] of cases) {
  test(`checkCaa() ${fault === null ? 'allows' : 'refuses'} when ${what}`, async () => {
    const checked = checkCaa(resolverWith(records), { ...BASE, ...question });
    if (fault === null) await checked;
    else await assert.rejects(checked, (error) => error instanceof CertificateFault && fault.test(error.message));
  });
}

test('checkCaa() asks once for a wildcard and its name', async () => {
  asked.length = 0;
  await checkCaa(resolverWith({}), { ...BASE, names: ['*.example.com', 'example.com'] });
  assert.deepEqual(asked, ['example.com', 'com']);
});

test('checkCaa() says that the resolver is away', async () => {
  const resolver = { lookUp: () => Promise.reject(new TunnoxError('unavailable', 'away')) };
  await assert.rejects(checkCaa(resolver, BASE), /resolver cannot be reached/);
});

test('checkCaa() judges any text that stands in a record', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'binary' }), { maxLength: 5 }), async (values) => {
      await checkCaa(resolverWith({ 'example.com': values }), BASE).catch((error: unknown) => {
        assert.ok(error instanceof CertificateFault);
      });
    }),
  );
});
