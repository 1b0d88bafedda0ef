import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { needs } from '@tunnox/testing/needs';
import { type PowerDnsFixture, startPowerDns } from '@tunnox/testing/powerdns';
import { type Body, TestStack } from './test-stack.ts';

const skip = needs('pdns_server');

let stack: TestStack;
let dns: PowerDnsFixture;
before(async () => {
  if (skip !== false) return;
  [stack, dns] = await Promise.all([TestStack.start(), startPowerDns()]);
});
after(async () => {
  await stack?.stop();
  await dns?.stop();
});

async function newZone(domain: string): Promise<number> {
  await dns.createZone(domain);
  const credential = await stack.asOperator('POST', '/dns/credentials', {
    ...{ name: 'dns', provider: 'powerdns', token: dns.apiKey, endpoint: dns.apiUrl },
  });
  const zone = await stack.asOperator('POST', '/dns/zones', {
    domain,
    credential_id: credential.body['credential_id'],
  });
  assert.equal(zone.status, 201, JSON.stringify(zone.body));
  return zone.body['zone_id'] as number;
}

async function reconcile(zoneId: number, query = ''): Promise<Body> {
  const run = await stack.asOperator('POST', `/dns/zones/${zoneId}/reconcile${query}`);
  assert.equal(run.status, 200, JSON.stringify(run.body));
  return run.body;
}

test('records of every owner come to be, and go when they are deleted', { skip }, async () => {
  const zoneId = await newZone('steps.example');
  const wishes = [
    { type: 'A', name: 'eu', value: '203.0.113.1', owner_type: 'node_group', owner_id: 'eu', ttl: 60 },
    { type: 'CNAME', name: 'www', value: 'eu.steps.example', owner_type: 'website_domain', owner_id: '1' },
    { type: 'TXT', name: '_acme-challenge', value: 'token-1', owner_type: 'acme_challenge' },
    { type: 'A', name: '@', value: '203.0.113.2', owner_type: 'line_group', owner_id: 'eu' },
    { type: 'A', name: 'a.b', value: '203.0.113.3' },
  ];
  const ids: number[] = [];
  for (const wish of wishes) {
    const made = await stack.asOperator('POST', '/dns/records', { zone_id: zoneId, ...wish });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    assert.equal(made.body['desired_state'], 'present');
    ids.push(made.body['record_id'] as number);
  }
  const run = await reconcile(zoneId);
  assert.equal(run['status'], 'done', JSON.stringify(run));
  for (const id of ids) {
    const { body } = await stack.asOperator('GET', `/dns/records/${id}`);
    assert.equal(body['status'], 'active', JSON.stringify(body));
    assert.ok(body['provider_record_id']);
  }
  const sets = await dns.records('steps.example');
  assert.deepEqual(
    sets.map(({ name, type, records }) => `${name} ${type} ${records.map(({ content }) => content).join()}`).toSorted(),
    [
      '_acme-challenge.steps.example. TXT "token-1"',
      'a.b.steps.example. A 203.0.113.3',
      'eu.steps.example. A 203.0.113.1',
      'steps.example. A 203.0.113.2',
      'www.steps.example. CNAME eu.steps.example.',
    ],
  );
  assert.equal((await reconcile(zoneId))['counts'].keep, 5);
  const deleted = await stack.asOperator('POST', '/dns/records/delete', { ids });
  assert.deepEqual(deleted.body, { affected: 5 });
  await reconcile(zoneId);
  const left = await stack.asOperator('GET', `/dns/records?zone_id=${zoneId}`);
  assert.deepEqual([left.body['total'], (await dns.records('steps.example')).length], [0, 0]);
});
