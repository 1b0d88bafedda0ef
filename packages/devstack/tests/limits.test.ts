import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { after, before, it } from 'node:test';
import { setTimeout as pass } from 'node:timers/promises';
import { type AgentProcess, startAgent } from '@tunnox/testing/agent';
import { eventually } from './support/eventually.ts';
import { managedClient } from './support/managed-client.ts';
import { inMode } from './support/modes.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { api, createTenant, type Tenant } from './support/tenant.ts';
import { open, visit, type Visited } from './support/visit.ts';

const MIB = 2 ** 20;
/** Enough to go on for the whole test at any speed that is allowed here. */
const ENDLESS = `/bytes/${10_000 * MIB}`;
/** Agents choose a relay by lot. */
const LOTS_MAX = 30;

/** A client with a name of its own and its agent. */
interface Place {
  domainId: number;
  host: string;
  agent: AgentProcess;
  nodeId: string;
}

inMode('limits at two relays', { env: { TUNNOX_DEMO: 'off' } }, false, (context) => {
  let service: TargetService;
  const agents = new Set<AgentProcess>();
  before(async () => {
    service = await startTargetService('limited');
  });
  after(async () => {
    await Promise.all([...agents].map((agent) => agent.stop()));
    await service.stop();
  });

  const asOperator = <T>(method: string, path: string, body: object): Promise<T> =>
    api<T>(context.platform.stack, context.platform.stack.operator_key, method, `/api/v1${path}`, body);
  const quota = (tenant: Tenant, limits: object) => asOperator('POST', `/users/${tenant.userId}/quota`, limits);

  /** An agent at a relay of its choice, or at another one than `elsewhere`. */
  async function place(tenant: Tenant, elsewhere?: string): Promise<Place> {
    const { stack, home } = context.platform;
    const client = await managedClient(stack, home, tenant);
    const { domain_id: domainId, full_domain: host } = await api<{ domain_id: number; full_domain: string }>(
      stack,
      tenant.apiKey,
      'POST',
      '/api/v1/domains',
      { client_id: client.clientId, target_port: service.port },
    );
    for (let lot = 0; lot < LOTS_MAX; lot += 1) {
      const agent = await startAgent(context.platform, ['run', '-c', client.configFile]);
      agents.add(agent);
      const { node_id: nodeId } = await agent.ready();
      if (nodeId !== elsewhere) return { domainId, host, agent, nodeId };
      await agent.stop();
      agents.delete(agent);
    }
    throw new Error(`${LOTS_MAX} times the agent chose ${elsewhere}`);
  }

  /** The relay at which the agent is not: visitors come over the bridge. */
  const farDoor = ({ nodeId }: Place) => {
    const relay = context.platform.stack.relays.find(({ node_id }) => node_id !== nodeId);
    assert.ok(relay !== undefined);
    return { address: relay.http };
  };
  const ask = (at: Place): Promise<Visited> =>
    visit(farDoor(at), at.host, '/', { headers: { accept: 'application/json' } });
  const codeOf = ({ text }: Visited): string => (JSON.parse(text) as { code: string }).code;

  /** A download that goes on until it is stopped or cut. */
  async function download(at: Place) {
    const response: IncomingMessage = await open(farDoor(at), at.host, ENDLESS, { timeoutMs: 300_000 });
    assert.equal(response.statusCode, 200);
    let bytes = 0;
    response.on('data', (chunk: Buffer) => (bytes += chunk.length));
    const ended = new Promise<void>((resolve) => response.once('close', resolve));
    // What it means to be cut, the close tells.
    response.on('error', () => undefined);
    return {
      response,
      ended,
      bytes: () => bytes,
      stop: async () => {
        response.destroy();
        await ended;
      },
    };
  }

  /** Bytes a second of all downloads together. */
  async function speed(ms: number, ...downloads: { bytes: () => number }[]): Promise<number> {
    const sum = () => downloads.reduce((all, { bytes }) => all + bytes(), 0);
    const [before, begun] = [sum(), performance.now()];
    await pass(ms);
    return ((sum() - before) * 1000) / (performance.now() - begun);
  }

  it('a bandwidth limit holds over both relays together, and goes to where it is used', async () => {
    const tenant = await createTenant(context.platform.stack);
    await quota(tenant, { total_bandwidth_limit: MIB });
    const a = await place(tenant);
    const b = await place(tenant, a.nodeId);
    const [one, two] = [await download(a), await download(b)];
    // What lies in buffers before the first byte is slowed.
    await pass(1000);
    const both = await speed(4000, one, two);
    assert.ok(both < 1.3 * MIB, `${both} bytes/s is more than the limit`);
    assert.ok(both > 0.5 * MIB, `${both} bytes/s is far below the limit`);
    await two.stop();
    // The other relay's share is of no use there now: this one has most of the limit before long.
    await eventually(
      () => speed(1000, one),
      (alone) => alone > 0.75 * MIB,
      90_000,
    );
    assert.ok((await speed(2000, one)) < 1.3 * MIB);
    await one.stop();
  });

  it('a better plan makes a running download faster', async () => {
    const limits = {
      ...{ max_clients: null, max_mappings: null, max_active_mappings: null },
      ...{ max_connections_per_mapping: null, monthly_traffic_limit: null },
    };
    await asOperator('PUT', '/plans/slow', { ...limits, total_bandwidth_limit: 128 * 1024 });
    await asOperator('PUT', '/plans/fast', { ...limits, total_bandwidth_limit: 8 * MIB });
    const tenant = await createTenant(context.platform.stack, 'slow');
    const running = await download(await place(tenant));
    await pass(1000);
    const slow = await speed(3000, running);
    assert.ok(slow < 0.25 * MIB, `${slow} bytes/s with 128 KiB/s`);
    await asOperator('PUT', `/users/${tenant.userId}`, { plan: 'fast' });
    await eventually(
      () => speed(500, running),
      (fast) => fast > 2 * MIB,
      30_000,
    );
    // The plan itself is changed.
    await asOperator('PUT', '/plans/fast', { ...limits, total_bandwidth_limit: 128 * 1024 });
    await eventually(
      () => speed(1000, running),
      (again) => again < 0.5 * MIB,
      30_000,
    );
    assert.equal(running.response.destroyed, false, 'all of it was one connection');
    await running.stop();
  });

  it('so many connections of a mapping as are allowed, and one more when the limit is raised', async () => {
    const tenant = await createTenant(context.platform.stack);
    await quota(tenant, { max_connections_per_mapping: 2 });
    const at = await place(tenant);
    const held = [await open(farDoor(at), at.host, '/events', {}), await open(farDoor(at), at.host, '/events', {})];
    const refused = await ask(at);
    assert.deepEqual([refused.status, codeOf(refused)], [429, 'connection_limit']);
    await quota(tenant, { max_connections_per_mapping: 3 });
    await eventually(
      () => ask(at),
      ({ status }) => status === 200,
    );
    for (const response of held) response.destroy();
  });

  it('the second mapping waits while the first is active, and serves when that is switched off', async () => {
    const { stack } = context.platform;
    const tenant = await createTenant(stack);
    await quota(tenant, { max_active_mappings: 1 });
    const first = await place(tenant);
    const second = await place(tenant, first.nodeId);
    assert.equal((await ask(first)).status, 200);
    const waits = await ask(second);
    assert.deepEqual([waits.status, codeOf(waits)], [429, 'active_limit']);
    const told = await second.agent.next('problem');
    assert.deepEqual([told['code'], told['binding_id']], ['active_limit', `domain:${second.domainId}`]);
    const shown = await api<{ status: string; problems: { code: string }[] }>(
      stack,
      tenant.apiKey,
      'GET',
      `/api/v1/domains/${second.domainId}`,
    );
    assert.deepEqual([shown.status, shown.problems.map(({ code }) => code)], ['inactive', ['active_limit']]);

    const running = await download(first);
    await api(stack, tenant.apiKey, 'PUT', `/api/v1/domains/${first.domainId}`, { enabled: false });
    await running.ended;
    assert.equal((await second.agent.next('resolved'))['code'], 'active_limit');
    assert.equal((await ask(second)).status, 200);
    // Again, but now it is the other's turn to wait; and an open tunnel does not outlive the place.
    await api(stack, tenant.apiKey, 'PUT', `/api/v1/domains/${first.domainId}`, { enabled: true });
    assert.equal((await first.agent.next('problem'))['code'], 'active_limit');
    await quota(tenant, { max_active_mappings: 2 });
    assert.equal((await first.agent.next('resolved'))['code'], 'active_limit');
    const live = await download(first);
    await quota(tenant, { max_active_mappings: 1 });
    await live.ended;
    assert.equal(codeOf(await ask(first)), 'active_limit');
  });

  it("the month's traffic is cut off in the middle of a download, with the reason, and lifted when more is allowed", async () => {
    const tenant = await createTenant(context.platform.stack);
    // Slow, so that it is not over before it is counted.
    await quota(tenant, { monthly_traffic_limit: 3 * MIB, total_bandwidth_limit: 2 * MIB });
    const at = await place(tenant);
    const running = await download(at);
    await running.ended;
    assert.equal(running.response.complete, false);
    assert.ok(running.bytes() < 3 * MIB + 2 * MIB, `${running.bytes()} bytes came`);
    assert.equal((await at.agent.next('problem'))['code'], 'traffic_limit');
    const refused = await ask(at);
    assert.deepEqual([refused.status, codeOf(refused)], [429, 'traffic_limit']);
    await eventually(
      () =>
        api<{ traffic_usage_percent: number }>(
          context.platform.stack,
          tenant.apiKey,
          'GET',
          `/api/v1/users/${tenant.userId}/quota`,
        ),
      (use) => use.traffic_usage_percent >= 100,
    );
    await quota(tenant, { monthly_traffic_limit: 100 * MIB });
    assert.equal((await at.agent.next('resolved'))['code'], 'traffic_limit');
    assert.equal((await ask(at)).status, 200);
  });
});
