import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { DeliveredDomain, VerifiedDomain } from '@tunnox/domain/api/domains';
import { type AgentProcess, startAgent } from '@tunnox/testing/agent';
import { type DohFront, startDohFront } from '@tunnox/testing/doh-front';
import { needs } from '@tunnox/testing/needs';
import { type PowerDnsFixture, startPowerDns } from '@tunnox/testing/powerdns';
import { type RunningStack, startStack } from '@tunnox/testing/stack';
import { managedClient } from './support/managed-client.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { api, callApi, createTenant, type Tenant } from './support/tenant.ts';
import { eventually } from './support/eventually.ts';
import { visit, type Visited } from './support/visit.ts';

const ZONE = 'customer.example';
/** A relay that was asked for a name that nobody has asks again after a second; one that knows where it leads, later. */
const FAR_MS = 7_000;

describe('a domain of one’s own', { skip: needs('pdns_server') }, () => {
  let powerDns: PowerDnsFixture;
  let front: DohFront;
  let platform: RunningStack;
  let tenant: Tenant;
  let service: TargetService;
  let agent: AgentProcess;
  let clientId: number;

  before(async () => {
    powerDns = await startPowerDns();
    await powerDns.createZone(ZONE);
    front = await startDohFront(powerDns.dnsPort);
    platform = await startStack({ env: { TUNNOX_DEMO: 'off', DNS_RESOLVER_URL: front.url } });
    service = await startTargetService('own');
    tenant = await createTenant(platform.stack);
    const client = await managedClient(platform.stack, platform.home, tenant);
    ({ clientId } = client);
    agent = await startAgent(platform, ['run', '-c', client.configFile]);
    await agent.ready();
  });
  after(async () => {
    await agent?.stop();
    await service?.stop();
    await platform?.stop();
    await front?.stop();
    await powerDns?.stop();
  });

  const call = <T>(method: string, path: string, body?: object, who: Tenant = tenant): Promise<T> =>
    api<T>(platform.stack, who.apiKey, method, `/api/v1/domains${path}`, body);
  const claim = (domain: string, who = tenant, client = clientId): Promise<DeliveredDomain> =>
    call('POST', '', { domain, client_id: client, target_host: '127.0.0.1', target_port: service.port }, who);
  const verify = ({ domain_id: id }: DeliveredDomain, who = tenant): Promise<VerifiedDomain> =>
    call('POST', `/${id}/verify`, undefined, who);
  const newName = (): string => `www-${randomBytes(4).toString('hex')}.${ZONE}`;
  const visitAll = (host: string): Promise<Visited[]> =>
    Promise.all(platform.stack.relays.map(({ http }) => visit({ address: http }, host)));
  const allAnswer = (host: string, expected: number): Promise<Visited[]> =>
    eventually(
      () => visitAll(host),
      (visits) => visits.every(({ status }) => status === expected),
      FAR_MS,
    );

  for (const type of ['TXT', 'CNAME'] as const) {
    it(`is served by both relays as soon as the ${type} record proves it, and not before`, async () => {
      const name = newName();
      const claimed = await claim(name);
      assert.equal(claimed.status, 'pending_verification');
      assert.deepEqual(
        (await visitAll(name)).map(({ status }) => status),
        [404, 404],
      );
      const looked = await verify(claimed);
      assert.equal(looked.verification_state, 'pending_verification');
      assert.deepEqual(
        looked.checks.map(({ result }) => result),
        ['no_name', 'no_name'],
      );

      const proof = claimed.proofs.find((one) => one.type === type) ?? assert.fail();
      await powerDns.setRecords(ZONE, proof.name, type, [proof.value]);
      assert.equal((await verify(claimed)).verification_state, 'verified');
      // Both may have kept for a second that there was nothing.
      for (const { text } of await allAnswer(name, 200)) assert.equal(text, 'own');

      const { domain_id: id } = claimed;
      await call('DELETE', `/${id}`);
      await allAnswer(name, 404);
    });
  }

  it('belongs to whoever proves it: another’s records prove nothing, and the name is served for one only', async () => {
    const name = newName();
    const thief = await createTenant(platform.stack);
    const { clientId: thiefClient } = await managedClient(platform.stack, platform.home, thief);
    const stolen = await claim(name, thief, thiefClient);
    const owned = await claim(name);
    const proof = owned.proofs.find(({ type }) => type === 'TXT') ?? assert.fail();
    await powerDns.setRecords(ZONE, proof.name, 'TXT', [proof.value]);
    const refused = await verify(stolen, thief);
    assert.equal(refused.verification_state, 'pending_verification');
    assert.ok(refused.checks.some(({ result }) => result === 'other_value'));
    assert.equal((await verify(owned)).verification_state, 'verified');
    for (const { text } of await allAnswer(name, 200)) assert.equal(text, 'own');
    const taken = await callApi(platform.stack, thief.apiKey, 'POST', `/api/v1/domains/${stolen.domain_id}/verify`);
    assert.notEqual(((await taken.json()) as { verification_state?: string }).verification_state, 'verified');
  });
});
