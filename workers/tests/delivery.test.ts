import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitFor } from '@tunnox/testing/wait-for';
import { type FakeRelay, instanceId } from './fake-relay.ts';
import { LiveHarness, type Tenant } from './live-harness.ts';

let harness: LiveHarness;
before(async () => {
  harness = await LiveHarness.start({ relayLeaseMs: 10_000 });
});
after(() => harness.stop());

interface Mapping {
  mapping_id: number;
  status: string;
  problems: { client_id: number; code: string }[];
  delivery: { client_id: number; state: string; detail?: string }[];
}

/** An agent at a relay of its own. */
class AgentAtRelay {
  readonly clientId: number;
  readonly relay: FakeRelay;
  readonly session: { client_id: number; instance_id: string; connect_seq: number };
  /** Highest version that the agent was told of. */
  version = 0;

  private constructor(clientId: number, relay: FakeRelay) {
    this.clientId = clientId;
    this.relay = relay;
    this.session = { client_id: clientId, instance_id: instanceId(), connect_seq: 1 };
  }

  static async start(clientId: number): Promise<AgentAtRelay> {
    const agent = new AgentAtRelay(clientId, await harness.relay());
    const [result] = await agent.relay.attach({ ...agent.session, generation: 1, mode: 'attach' });
    assert.equal(result?.outcome, 'accepted');
    return agent;
  }

  /** Waits for the next configuration, puts it into effect and says so. */
  async applyNext(problems: { binding_id: string; code: string; message: string }[] = []): Promise<void> {
    const { policy } = await this.relay.receive('policy', (message) => message.policy.config_version > this.version);
    this.version = policy.config_version;
    this.report(problems);
  }

  report(problems: { binding_id: string; code: string; message: string }[] = []): void {
    this.relay.send({ type: 'config_applied', client_id: this.clientId, version: this.version, problems });
  }

  /** Heartbeats until the promise is settled: a change waits for slow agents, and leases go on. */
  async alive<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const done = work.finally(() => (settled = true));
    while (!settled) await Promise.race([done.catch(() => {}), this.relay.ping()]);
    return done;
  }
}

/** A tenant with a source and a target, each attached to another relay. */
async function newPair() {
  const tenant = await harness.tenant();
  const newClient = async (): Promise<number> =>
    (await call<{ client_id: number }>(tenant, 'POST', '/clients', { client_name: 'a' })).client_id;
  const [source, target] = [await AgentAtRelay.start(await newClient()), await AgentAtRelay.start(await newClient())];
  assert.notEqual(source.relay.nodeId, target.relay.nodeId);
  const create = (): Promise<Mapping> =>
    call(tenant, 'POST', '/mappings', {
      ...{ source_client_id: source.clientId, target_client_id: target.clientId },
      ...{ target_port: 22, local_port: 5000 },
    });
  return { tenant, source, target, create };
}

const call = <T>(tenant: Tenant, method: string, path: string, body?: unknown): Promise<T> =>
  harness.api<T>(method, path, body, tenant.apiKey);

const states = ({ delivery }: Mapping): Record<number, string> =>
  Object.fromEntries(delivery.map(({ client_id, state }) => [client_id, state]));

test('create, change, switch and delete reach source and target at their relays, and the answer says so', async () => {
  const { tenant, source, target, create } = await newPair();
  const both = { [source.clientId]: 'applied', [target.clientId]: 'applied' };
  const bothApply = () => Promise.all([source.applyNext(), target.applyNext()]);
  const [made] = await Promise.all([create(), bothApply()]);
  assert.deepEqual(states(made), both);
  const path = `/mappings/${made.mapping_id}`;
  for (const change of [
    { target_port: 23 },
    { enabled: false },
    { enabled: true },
    { access: { allow: [], deny: [] } },
  ]) {
    const [changed] = await Promise.all([call<Mapping>(tenant, 'PUT', path, change), bothApply()]);
    assert.deepEqual(states(changed), both, JSON.stringify(change));
  }
  await call(tenant, 'DELETE', path);
  for (const { relay, version } of [source, target]) {
    const { policy } = await relay.receive('policy', (message) => message.policy.config_version > version);
    assert.deepEqual(policy.bindings, [], 'on its way when the answer is there');
  }
});

test('a frozen agent is pending, and does not hold the answer for longer than two seconds', async () => {
  const { source, target, create } = await newPair();
  const begin = performance.now();
  const [made] = await Promise.all([create(), target.applyNext()]);
  assert.ok(performance.now() - begin < 6000);
  assert.deepEqual(states(made), { [source.clientId]: 'pending', [target.clientId]: 'applied' });
});

test('an agent that is away is offline, at once; one whose relay died is, too', async () => {
  const { tenant, source, target, create } = await newPair();
  await source.relay.detach(source.session);
  const [made] = await Promise.all([create(), target.applyNext()]);
  assert.deepEqual(states(made), { [source.clientId]: 'offline', [target.clientId]: 'applied' });
  target.relay.drop();
  const path = `/mappings/${made.mapping_id}`;
  await waitFor(async () => {
    const changed = await call<Mapping>(tenant, 'PUT', path, { target_port: 24 });
    return states(changed)[target.clientId] === 'offline';
  }, 30_000);
});

test('what an agent could not do is an error with its reason, until it says that it could', async () => {
  const { tenant, source, target, create } = await newPair();
  const failing = async (bindingId: string) =>
    source.applyNext([{ binding_id: bindingId, code: 'port_in_use', message: 'Another program uses port 5000' }]);
  const [{ next }] = (await harness.sql<{ next: number }>(
    `select last_value::int + 1 as next from mapping_id_seq`,
  )) as [{ next: number }];
  const [made] = await Promise.all([create(), failing(`mapping:${next}`), target.applyNext()]);
  assert.equal(made.mapping_id, next);
  const failed = made.delivery.find(({ client_id }) => client_id === source.clientId);
  assert.deepEqual([failed?.state, failed?.detail], ['failed', `mapping:${next}: Another program uses port 5000`]);
  const path = `/mappings/${next}`;
  const read = () => source.alive(call<Mapping>(tenant, 'GET', path));
  await waitFor(async () => (await read()).status === 'error', 5000);
  assert.deepEqual(
    (await read()).problems.map(({ client_id, code }) => [client_id, code]),
    [[source.clientId, 'port_in_use']],
  );
  // The port has become free: no new version is needed for it.
  source.report();
  await waitFor(async () => (await read()).status === 'active', 5000);
  assert.deepEqual((await read()).problems, []);
  // And taken again; but while the agent is away, what it said says nothing.
  source.report([{ binding_id: `mapping:${next}`, code: 'port_in_use', message: 'again' }]);
  await waitFor(async () => (await read()).status === 'error', 5000);
  await source.relay.detach(source.session);
  await waitFor(async () => (await call<Mapping>(tenant, 'GET', path)).status !== 'error', 5000);
});
