import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { startAgent, type AgentProcess } from '@tunnox/testing/agent';
import { run } from './support/lines.ts';
import { inMode } from './support/modes.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { startTraffic } from './support/traffic.ts';
import { createTenant } from './support/tenant.ts';
import { visit } from './support/visit.ts';

inMode('Redis away', { env: { TUNNOX_DEMO: 'off' } }, true, (context) => {
  let service: TargetService;
  let agent: AgentProcess;
  const host = 'cached.tunnox.localhost';

  before(async () => {
    const { apiKey } = await createTenant(context.platform.stack);
    service = await startTargetService('cached');
    agent = await startAgent(context.platform, ['http', String(service.port), '--subdomain', 'cached'], apiKey);
    await agent.ready();
  });
  after(async () => {
    await agent.stop();
    await service.stop();
  });

  it('flushed, stopped and started again under load: no request fails', async (t) => {
    const { redis, platform } = context;
    assert.ok(redis !== undefined);
    const traffic = platform.stack.relays.map(({ http }) => startTraffic(t, { address: http }, host, 'cached'));
    const answers = (count: number) => Promise.all(traffic.map((one) => one.answers(count)));
    await answers(100);
    await run('redis-cli', ['-p', String(redis.port), 'FLUSHALL']);
    await answers(500);
    await redis.pause();
    await answers(500);
    await redis.resume();
    await answers(500);
    redis.freeze();
    await answers(500);
    redis.thaw();
    await answers(100);
    for (const one of traffic) assert.deepEqual((await one.stop()).failures, []);
    assert.equal(
      (await visit({ address: platform.stack.relays[0]?.http ?? '' }, 'unknown.tunnox.localhost')).status,
      404,
    );
  });
});
