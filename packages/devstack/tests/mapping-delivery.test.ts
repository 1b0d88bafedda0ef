import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, it } from 'node:test';
import type { DeliveredMapping, Mapping } from '@tunnox/domain/api/mappings';
import { freePort } from '@tunnox/testing/free-port';
import { type AgentInside, agentAt } from './support/agent-at.ts';
import { type Answering, ask, startAnswering } from './support/answering.ts';
import { eventually } from './support/eventually.ts';
import { managedClient, type ManagedClient } from './support/managed-client.ts';
import { inBothModes } from './support/modes.ts';
import { api, createTenant, type Tenant } from './support/tenant.ts';

inBothModes('mappings between agents at two relays', { env: { TUNNOX_DEMO: 'off' } }, (context) => {
  let tenant: Tenant;
  let servers: Answering[];
  let source: ManagedClient;
  let target: ManagedClient;
  const agents: AgentInside[] = [];

  before(async () => {
    const { stack, home } = context.platform;
    tenant = await createTenant(stack);
    servers = await Promise.all(['first', 'second'].map(startAnswering));
    [source, target] = [await managedClient(stack, home, tenant), await managedClient(stack, home, tenant)];
    const [one, two] = stack.relays;
    assert.ok(one !== undefined && two !== undefined && one.node_id !== two.node_id);
    agents.push(await agentAt(stack, source, one.node_id), await agentAt(stack, target, two.node_id));
  });
  after(async () => {
    for (const agent of agents) await agent.stop();
    for (const server of servers) server.stop();
  });

  const call = <T>(method: string, path: string, body?: unknown): Promise<T> =>
    api<T>(context.platform.stack, tenant.apiKey, method, `/api/v1${path}`, body);

  const create = (localPort: number): Promise<DeliveredMapping> =>
    call('POST', '/mappings', {
      ...{ source_client_id: source.clientId, target_client_id: target.clientId },
      ...{ target_host: '127.0.0.1', target_port: servers[0]?.port, local_port: localPort },
    });

  const applied = (): object[] =>
    [source, target].map(({ clientId }) => ({ client_id: clientId, state: 'applied' })).sort(byClient);

  it('carry bytes, change and end in the moment in which the answer says applied', async () => {
    // Each step once, without a second try.
    for (let round = 0; round < 3; round += 1) {
      const port = await freePort();
      const made = await create(port);
      assert.deepEqual(made.delivery.sort(byClient), applied());
      assert.equal(made.status, 'active');
      assert.equal(await ask(port, 'hello'), 'first: hello');

      const path = `/mappings/${made.mapping_id}`;
      const changed = await call<DeliveredMapping>('PUT', path, { target_port: servers[1]?.port });
      assert.deepEqual(changed.delivery.sort(byClient), applied());
      assert.equal(await ask(port, 'hello'), 'second: hello');

      const off = await call<DeliveredMapping>('PUT', path, { enabled: false });
      assert.deepEqual([off.delivery.sort(byClient), off.status], [applied(), 'disabled']);
      await assert.rejects(ask(port, 'x'), { code: 'ECONNREFUSED' });
      const on = await call<DeliveredMapping>('PUT', path, { enabled: true });
      assert.deepEqual(on.delivery.sort(byClient), applied());
      assert.equal(await ask(port, 'again'), 'second: again');

      await call('DELETE', path);
      await eventually(
        () => ask(port, 'x').then(String, (error: NodeJS.ErrnoException) => error.code),
        (outcome) => outcome === 'ECONNREFUSED',
      );
    }
  });

  it('show a port that is taken, and open it by themselves when it is free', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    const made = await create(port);
    const failed = made.delivery.find(({ client_id }) => client_id === source.clientId);
    assert.equal(failed?.state, 'failed');
    assert.match(failed.detail ?? '', new RegExp(`mapping:${made.mapping_id}: .*${port}`));
    const path = `/mappings/${made.mapping_id}`;
    const shown = await eventually(
      () => call<Mapping>('GET', path),
      ({ status }) => status === 'error',
    );
    assert.deepEqual(
      shown.problems.map(({ client_id, code }) => ({ client_id, code })),
      [{ client_id: source.clientId, code: 'port_in_use' }],
    );
    // Another mapping of the same agent is not to blame for it.
    const free = await freePort();
    const other = await create(free);
    assert.deepEqual(other.delivery.sort(byClient), applied());
    assert.equal(await ask(free, 'hello'), 'first: hello');

    holder.close();
    await once(holder, 'close');
    const healed = await eventually(
      () => call<Mapping>('GET', path),
      ({ status }) => status === 'active',
    );
    assert.deepEqual(healed.problems, []);
    assert.equal(await ask(port, 'hello'), 'first: hello');
  });
});

const byClient = (a: object, b: object): number =>
  (a as { client_id: number }).client_id - (b as { client_id: number }).client_id;
