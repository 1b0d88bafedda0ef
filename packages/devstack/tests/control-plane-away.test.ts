import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { after, before, it } from 'node:test';
import { setTimeout as pass } from 'node:timers/promises';
import { startAgent, type AgentProcess } from '@tunnox/testing/agent';
import { eventually } from './support/eventually.ts';
import { inBothModes } from './support/modes.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { startTraffic } from './support/traffic.ts';
import { createTenant, type Tenant } from './support/tenant.ts';
import { visit } from './support/visit.ts';

/** Longer than every cache and every lease. */
const AWAY_MS = 120_000;

inBothModes('control plane away', { env: { TUNNOX_DEMO: 'off', TUNNOX_RESTART: 'off' } }, (context) => {
  let tenant: Tenant;
  let service: TargetService;
  const agents: AgentProcess[] = [];
  const start = async (...args: string[]) => {
    const agent = await startAgent(context.platform, args, tenant.apiKey);
    agents.push(agent);
    return { agent, ...(await agent.ready()) };
  };

  before(async () => {
    tenant = await createTenant(context.platform.stack);
    service = await startTargetService('steady');
  });
  after(async () => {
    await Promise.all(agents.map((agent) => agent.stop()));
    await service.stop();
  });

  it('tunnels, known routes across the bridge and reconnects by ticket go on; then everything new works', async (t) => {
    const { stack } = context.platform;
    // The relay that is killed below may carry the tunnel: its target then sees a reset.
    const echo = createServer((each) => each.on('error', () => undefined).pipe(each)).listen(0, '127.0.0.1');
    t.after(() => echo.close());
    await once(echo, 'listening');
    const http = await start('http', String(service.port), '--subdomain', 'steady');
    const tcp = await start('tcp', String((echo.address() as AddressInfo).port));
    const doors = stack.relays.map(({ http: address }) => ({ address }));
    for (const door of doors) await visit(door, 'steady.tunnox.localhost');
    const socket = connect(Number(new URL(tcp.url).port), '127.0.0.1');
    t.after(() => socket.destroy());
    socket.write('before');
    await once(socket, 'data');

    await context.platform.stopControlPlane();
    const traffic = doors.map((door) => startTraffic(t, door, 'steady.tunnox.localhost', 'steady'));
    // Time is what this test is about.
    await pass(AWAY_MS);
    for (const one of traffic) {
      await one.answers(20);
      assert.deepEqual((await one.stop()).failures, []);
    }
    socket.write('during');
    const [during] = (await once(socket, 'data')) as [Buffer];
    assert.equal(during.toString(), 'during');

    socket.on('error', () => undefined);
    // An agent that loses its relay comes back by its ticket, and visitors of that relay reach it.
    const refuge = stack.relays.find(({ node_id }) => node_id !== http.node_id);
    await context.platform.killRelay(http.node_id);
    assert.equal((await http.agent.next('connected'))['node_id'], refuge?.node_id);
    const reached = await eventually(
      () => visit({ address: refuge?.http ?? '' }, 'steady.tunnox.localhost'),
      ({ status }) => status === 200,
    );
    assert.equal(reached.text, 'steady');

    await context.platform.startControlPlane();
    await context.platform.startRelay(http.node_id);
    const fresh = await start('http', String(service.port), '--subdomain', 'fresh');
    assert.ok(fresh.url.length > 0);
    for (const door of doors) {
      for (const name of ['steady', 'fresh']) {
        await eventually(
          () => visit(door, `${name}.tunnox.localhost`),
          ({ status }) => status === 200,
        );
      }
    }
  });
});
