import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '@tunnox/api-client/api-error';
import type { ManagementApi } from '@tunnox/api-client/management-api';
import type { ProofCheck } from '@tunnox/domain/api/domains';
import { CliError } from '../cli-error.ts';
import { ensureDomain } from './ensure-domain.ts';

const HOST = 'shop.customer.example';
const TARGET = { scheme: 'http', host: 'localhost', port: 3000 } as const;
const PROOFS = [
  { type: 'TXT', name: `_tunnox.${HOST}`, value: 'tunnox-verify=abc' },
  { type: 'CNAME', name: `_tunnox.${HOST}`, value: 'abc.verify.tunnox.example' },
] as const;
const NOTHING = { read: () => Promise.resolve(null), save: () => Promise.resolve() };

const claim = (state: 'verified' | 'pending_verification') => ({
  ...{ domain_id: 17, full_domain: HOST, verification_state: state, proofs: PROOFS },
  ...{ url: `https://${HOST}`, urls: [`https://${HOST}`], delivery: [] },
});

const check = (index: 0 | 1, result: ProofCheck['result'], detail: string): ProofCheck => ({
  ...PROOFS[index],
  ...{ found: [], matches: result === 'matches', result, detail },
});

/** The API of a server with this claim, and what it answers to a look. */
function server(looks: () => Promise<object>, isOld = false) {
  const calls: string[] = [];
  const domains = {
    create: () => {
      calls.push('create');
      if (!isOld) return Promise.resolve(claim('pending_verification'));
      return Promise.reject(new ApiError({ code: 'conflict', status: 409, detail: '', members: { domain_id: 17 } }));
    },
    update: (id: number) => {
      calls.push(`update ${id}`);
      return Promise.resolve(claim('pending_verification'));
    },
    verify: (id: number) => {
      calls.push(`verify ${id}`);
      return looks();
    },
  };
  return { calls, api: { domains } as unknown as ManagementApi };
}

const ensure = (api: ManagementApi) => ensureDomain(api, 600_000_001, { target: TARGET, domain: HOST }, NOTHING);

test('ensureDomain() looks for the proof at once, for a new claim and for an old one', async () => {
  for (const isOld of [false, true]) {
    const { api, calls } = server(() => Promise.resolve({ ...claim('verified'), checks: [] }), isOld);
    assert.equal((await ensure(api)).url, `https://${HOST}`);
    assert.deepEqual(calls, isOld ? ['create', 'update 17', 'verify 17'] : ['create', 'verify 17']);
  }
});

test('ensureDomain() shows both records of which one proves the domain, and what stands there instead', async () => {
  const checks = [check(0, 'other_value', 'It has another value'), check(1, 'no_record', 'It has no CNAME record')];
  const { api } = server(() => Promise.resolve({ ...claim('pending_verification'), checks }));
  await assert.rejects(ensure(api), (error) => {
    assert.ok(error instanceof CliError);
    assert.equal(error.code, 'verification_required');
    assert.deepEqual(error.message.split('\n').slice(1), [
      `  _tunnox.${HOST}  TXT  "tunnox-verify=abc"`,
      '        It has another value',
      `  _tunnox.${HOST}  CNAME  abc.verify.tunnox.example`,
    ]);
    return true;
  });
});

test('ensureDomain() shows the records also when nobody can look, and passes on what else is wrong', async () => {
  for (const code of ['unavailable', 'rate_limited']) {
    const { api } = server(() => Promise.reject(new ApiError({ code, status: 503, detail: '' })));
    await assert.rejects(ensure(api), { code: 'verification_required', message: /TXT {2}"tunnox-verify=abc"/ });
  }
  const { api } = server(() => Promise.reject(new ApiError({ code: 'subdomain_taken', status: 409, detail: '' })));
  await assert.rejects(ensure(api), { code: 'subdomain_taken' });
});
