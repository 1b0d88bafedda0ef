import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { startAgent, type AgentProcess } from '@tunnox/testing/agent';
import { eventually } from './support/eventually.ts';
import { inBothModes } from './support/modes.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { startTraffic } from './support/traffic.ts';
import { api, createTenant, type Tenant } from './support/tenant.ts';
import { visit } from './support/visit.ts';

interface Node {
  node_id: string;
  status: string;
  incarnation: string;
}

inBothModes('death of a relay', { env: { TUNNOX_DEMO: 'off', TUNNOX_RESTART: 'off' } }, (context) => {
  let tenant: Tenant;
  let service: TargetService;
  let agent: AgentProcess;

  before(async () => {
    tenant = await createTenant(context.platform.stack);
    service = await startTargetService('survivor');
    agent = await startAgent(
      context.platform,
      ['http', String(service.port), '--subdomain', 'survivor'],
      tenant.apiKey,
    );
  });
  after(async () => {
    await agent.stop();
    await service.stop();
  });

  it('kill -9 while traffic flows: its agents and their names are on the other relay within seconds', async (t) => {
    const { stack } = context.platform;
    const { node_id: dead } = await agent.ready();
    const survivor = stack.relays.find(({ node_id }) => node_id !== dead);
    const victim = stack.relays.find(({ node_id }) => node_id === dead);
    assert.ok(survivor !== undefined && victim !== undefined);
    const traffic = startTraffic(t, { address: survivor.http }, 'survivor.tunnox.localhost');
    await traffic.answers(50);
    const incarnation = (await node(dead)).incarnation;

    await context.platform.killRelay(dead);
    const moved = await agent.next('connected');
    assert.equal(moved['node_id'], survivor.node_id);
    await eventually(
      () => visit({ address: survivor.http }, 'survivor.tunnox.localhost'),
      (answer) => answer.status === 200 && answer.text === 'survivor',
      10_000,
    );
    traffic.forgetFailures();
    await traffic.answers(50);
    assert.deepEqual((await traffic.stop()).failures, []);

    // After its lease the cluster says so, and no route names it.
    await eventually(
      () => node(dead),
      ({ status }) => status === 'offline',
      60_000,
    );
    const { routes } = await api<{ routes: { node_id: string | null }[] }>(
      stack,
      stack.operator_key,
      'GET',
      '/api/v1/routes',
    );
    assert.ok(routes.every((route) => route.node_id !== dead));

    const back = await context.platform.startRelay(dead);
    const now = await eventually(
      () => node(dead),
      ({ status }) => status === 'online',
    );
    assert.equal(back.node_id, dead);
    assert.notEqual(now.incarnation, incarnation);
    const answer = await eventually(
      () => visit({ address: back.http }, 'survivor.tunnox.localhost'),
      ({ status }) => status === 200,
    );
    assert.equal(answer.text, 'survivor');
  });

  function node(nodeId: string): Promise<Node> {
    const { stack } = context.platform;
    return api<Node>(stack, stack.operator_key, 'GET', `/api/v1/nodes/${nodeId}`);
  }
});
