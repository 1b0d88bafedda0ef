import assert from 'node:assert/strict';
import { connect, createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after, before, it } from 'node:test';
import type { DeliveredRoute } from '@tunnox/domain/api/routes';
import { type AgentInside, agentAt } from './support/agent-at.ts';
import { eventually } from './support/eventually.ts';
import { managedClient, type ManagedClient } from './support/managed-client.ts';
import { inBothModes } from './support/modes.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { api, createTenant, type Tenant } from './support/tenant.ts';
import { visit } from './support/visit.ts';

inBothModes('routes', { env: { TUNNOX_DEMO: 'off' } }, (context) => {
  let service: TargetService;
  let greeter: Server;
  let tenant: Tenant;
  let client: ManagedClient;
  let agent: AgentInside;

  before(async () => {
    const { stack, home } = context.platform;
    service = await startTargetService('route');
    greeter = createServer((socket) => socket.end('greeting')).listen(0, '127.0.0.1');
    await once(greeter, 'listening');
    tenant = await createTenant(stack);
    client = await managedClient(stack, home, tenant);
    agent = await agentAt(stack, client, stack.relays[0]?.node_id ?? '');
  });
  after(async () => {
    await agent.stop();
    greeter.close();
    await service.stop();
  });

  const create = (wish: object): Promise<DeliveredRoute> =>
    api(context.platform.stack, tenant.apiKey, 'POST', '/api/v1/routes', { client_id: client.clientId, ...wish });

  /** Status at each relay. */
  const statuses = (host: string): Promise<number[]> =>
    Promise.all(
      context.platform.stack.relays.map(async (relay) => (await visit({ address: relay.http }, host)).status),
    );

  it('answer at every relay when they are made, and nowhere from their end on', async () => {
    const host = 'brief.tunnox.localhost';
    const made = await create({ endpoint: host, target_port: service.port, ttl_seconds: 4 });
    assert.deepEqual(made.delivery, [{ client_id: client.clientId, state: 'applied' }]);
    assert.deepEqual(await statuses(host), [200, 200]);
    const endsMs = Date.parse(made.expires_at ?? '');
    // Asked for all the time, so it is in every cache there is.
    await eventually(
      () => statuses(host),
      (seen) => seen.every((status) => status === 404),
    );
    const lateMs = Date.now() - endsMs;
    assert.ok(lateMs >= 0 && lateMs < 10_000, `${lateMs} ms after its end`);
  });

  it('end with a 404 when they are deleted', async () => {
    const host = 'deleted.tunnox.localhost';
    await create({ endpoint: host, target_port: service.port, ttl_seconds: 600 });
    assert.deepEqual(await statuses(host), [200, 200]);
    await api(context.platform.stack, tenant.apiKey, 'DELETE', `/api/v1/routes/${host}`);
    await eventually(
      () => statuses(host),
      (seen) => seen.every((status) => status === 404),
    );
  });

  it('bind a public port of every relay', async () => {
    const { stack } = context.platform;
    const ports = stack.relays.map((relay) => Number(relay.public_ports.split('-')[0]));
    for (const port of ports) {
      const { port: target_port } = greeter.address() as { port: number };
      await create({ endpoint: `tcp:default:${port}`, target_port, ttl_seconds: 600 });
      assert.equal(await text(connect({ port, host: '127.0.0.1' })), 'greeting');
    }
  });

  it('end with their agent when they have no time', async () => {
    const host = 'attached.tunnox.localhost';
    await create({ endpoint: host, target_port: service.port });
    assert.deepEqual(await statuses(host), [200, 200]);
    await agent.stop();
    await eventually(
      () => statuses(host),
      (seen) => seen.every((status) => status === 404),
    );
  });
});
