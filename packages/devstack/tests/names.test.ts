import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { startAgent } from '@tunnox/testing/agent';
import { inBothModes } from './support/modes.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { callApi, createTenant, type Tenant } from './support/tenant.ts';
import { eventually } from './support/eventually.ts';
import { visit } from './support/visit.ts';

inBothModes('names', { env: { TUNNOX_DEMO: 'off' } }, (context) => {
  let service: TargetService;
  let owner: Tenant;
  let other: Tenant;

  before(async () => {
    service = await startTargetService('names');
    owner = await createTenant(context.platform.stack);
    other = await createTenant(context.platform.stack);
  });
  after(() => service.stop());

  it('a chosen name answers through every relay as soon as the agent says ready', async () => {
    const { stack } = context.platform;
    const agent = await startAgent(
      context.platform,
      ['http', String(service.port), '--subdomain', 'foo'],
      owner.apiKey,
    );
    try {
      const ready = await agent.ready();
      assert.match(ready.url, /^https?:\/\/foo\.tunnox\.localhost/);
      for (const relay of stack.relays) {
        const plain = await visit({ address: relay.http }, 'foo.tunnox.localhost');
        assert.deepEqual([plain.status, plain.text], [200, 'names']);
        const secure = await visit({ address: relay.https, caFile: stack.ca_file }, 'foo.tunnox.localhost');
        assert.deepEqual([secure.status, secure.text], [200, 'names']);
      }
    } finally {
      await agent.stop();
    }
  });

  it('a name stays its owner’s when the agent has left: 503 for visitors, taken for others', async () => {
    const { stack } = context.platform;
    for (const relay of stack.relays) {
      const page = await eventually(
        () => visit({ address: relay.http }, 'foo.tunnox.localhost', '/', { headers: { accept: 'text/html' } }),
        (answer) => answer.status === 503,
      );
      assert.match(page.text, /offline/i);
      assert.ok(page.headers['retry-after'] !== undefined);
    }
    const stranger = await startAgent(
      context.platform,
      ['http', String(service.port), '--subdomain', 'foo'],
      other.apiKey,
    );
    const error = await stranger.next('error');
    assert.equal(error['code'], 'subdomain_taken');
    assert.notEqual(await stranger.exited, 0);
    const answer = await callApi(stack, other.apiKey, 'GET', '/api/v1/domains/availability?name=foo');
    assert.equal(((await answer.json()) as { available: boolean }).available, false);
  });

  it('another tenant that asks the API for a taken name gets 409 subdomain_taken', async () => {
    const { stack } = context.platform;
    const created = await callApi(stack, other.apiKey, 'POST', '/api/v1/clients', { client_name: 'thief' });
    const { client_id: clientId } = (await created.json()) as { client_id: number };
    const answer = await callApi(stack, other.apiKey, 'POST', '/api/v1/domains', {
      subdomain: 'foo',
      client_id: clientId,
      target_port: service.port,
    });
    assert.equal(answer.status, 409);
    assert.equal(((await answer.json()) as { code: string }).code, 'subdomain_taken');
  });

  it('an anonymous client gets a random name, and is told to log in for a chosen one', async () => {
    const { stack } = context.platform;
    const refused = await startAgent(context.platform, ['http', String(service.port), '--subdomain', 'bar']);
    const error = await refused.next('error');
    assert.equal(error['code'], 'login_required');
    assert.match(String(error['message']), /log ?in/i);
    assert.equal(await refused.exited, 3);

    const agent = await startAgent(context.platform, ['http', String(service.port)]);
    try {
      const { host } = new URL((await agent.ready()).url);
      const answer = await visit({ address: stack.relays[1]?.http ?? '' }, host);
      assert.deepEqual([answer.status, answer.text], [200, 'names']);
    } finally {
      await agent.stop();
    }
  });

  it('an unknown name is 404', async () => {
    for (const relay of context.platform.stack.relays) {
      assert.equal((await visit({ address: relay.http }, 'nobody.tunnox.localhost')).status, 404);
    }
  });
});
