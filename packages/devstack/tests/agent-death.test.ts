import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { setTimeout as pass } from 'node:timers/promises';
import { startAgent } from '@tunnox/testing/agent';
import { eventually } from './support/eventually.ts';
import { inBothModes } from './support/modes.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { api, createTenant, type Tenant } from './support/tenant.ts';
import { visit } from './support/visit.ts';

/** How long the frozen agent sleeps: longer than two missed PINGs and a relay's lease. */
const FROZEN_MS = 60_000;

inBothModes('death of an agent', { env: { TUNNOX_DEMO: 'off' } }, (context) => {
  let tenant: Tenant;
  let service: TargetService;
  const host = 'mortal.tunnox.localhost';

  before(async () => {
    tenant = await createTenant(context.platform.stack);
    service = await startTargetService('mortal');
  });
  after(() => service.stop());

  it('kill -9: away at once at every relay, and for the API', async () => {
    const { stack } = context.platform;
    const agent = await startAgent(
      context.platform,
      ['http', String(service.port), '--subdomain', 'mortal'],
      tenant.apiKey,
    );
    const { client_id: clientId } = await agent.ready();
    await everywhere(200);
    agent.kill('SIGKILL');
    await agent.exited;
    await everywhere(503);
    await eventually(
      () => api<{ status: string }>(stack, tenant.apiKey, 'GET', `/api/v1/clients/${clientId}`),
      ({ status }) => status === 'offline',
      5_000,
    );
  });

  it('SIGSTOP for a minute and SIGCONT: it recovers alone, the late word of the old session disturbs nobody', async () => {
    const agent = await startAgent(
      context.platform,
      ['http', String(service.port), '--subdomain', 'mortal'],
      tenant.apiKey,
    );
    try {
      await agent.ready();
      await everywhere(200);
      agent.kill('SIGSTOP');
      // Time is what this test is about: a laptop that sleeps.
      await pass(FROZEN_MS);
      agent.kill('SIGCONT');
      await everywhere(200, 40_000);
      const traffic = await Promise.all(Array.from({ length: 200 }, () => visit(door(0), host)));
      assert.ok(traffic.every(({ status }) => status === 200));
    } finally {
      await agent.stop();
    }
  });

  function door(index: number) {
    return { address: context.platform.stack.relays[index]?.http ?? '' };
  }

  async function everywhere(expected: number, timeoutMs = 8_000): Promise<void> {
    for (const index of [0, 1]) {
      await eventually(
        () => visit(door(index), host),
        ({ status }) => status === expected,
        timeoutMs,
      );
    }
  }
});
