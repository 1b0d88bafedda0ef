import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloseCode } from '@tunnox/domain/relay-api';
import { eventually } from '../../tests/support/eventually.ts';
import { CLIENT_ID, helloOf, ticketOf } from '../../tests/support/fake-agent.ts';
import { bindingOf, policyOf, sessionRig } from '../../tests/support/session-rig.ts';

const OTHER_ID = 600_000_002;
const OTHER_INSTANCE = '01BX5ZZKBKACTAV9WEVGEMMVRZ';
const NEVER = new AbortController().signal;
const ANY = { client_id: CLIENT_ID, instance_id: null, connect_seq: null } as const;

test('SessionRegistry.applyPolicy() tells the agent what is new and nothing else', async (t) => {
  const { welcomed, registry } = sessionRig(t);
  const agent = await welcomed();
  await agent.until('limits');
  registry.applyPolicy(policyOf({ bindings: [bindingOf({ version: 2 })] }));
  registry.applyPolicy(policyOf({ config_version: 2 }));
  assert.deepEqual(await agent.next(), { type: 'config_changed', version: 2 });
  const limits = { max_connections_per_mapping: 3, bandwidth_bytes_per_s: 1000, traffic_remaining_bytes: 0 };
  registry.applyPolicy(policyOf({ config_version: 2, limits }));
  assert.deepEqual(await agent.next(), {
    type: 'limits',
    bandwidth_bytes_per_s: 1000,
    max_connections_per_mapping: 3,
    traffic_exhausted: true,
  });
  registry.applyPolicy(policyOf({ config_version: 2, limits: { ...limits, traffic_remaining_bytes: -5 } }));
  registry.applyPolicy(policyOf({ config_version: 1 }));
  registry.applyPolicy(policyOf({ client_id: OTHER_ID, config_version: 9 }));
  registry.applyPolicy(policyOf({ config_version: 3, limits }));
  assert.deepEqual(await agent.next(), { type: 'config_changed', version: 3 });
});

test('SessionRegistry.applyPolicy() tells the agent which bindings wait, and not what share its relay has', async (t) => {
  const { welcomed, registry } = sessionRig(t);
  const agent = await welcomed();
  await agent.until('limits');
  const limits = { max_connections_per_mapping: null, traffic_remaining_bytes: null };
  const word = { total_bandwidth_bytes_per_s: 1000, max_active_mappings: 1 };
  const policy = (version: number, bandwidth: number, waiting_bindings: string[]) =>
    policyOf({
      limits: { ...limits, bandwidth_bytes_per_s: bandwidth, ledger: { ...word, version, waiting_bindings } },
    });
  registry.applyPolicy(policy(2, 500, ['mapping:1002']));
  const notice = { type: 'limits', bandwidth_bytes_per_s: 1000, max_connections_per_mapping: null };
  assert.deepEqual(await agent.next(), { ...notice, traffic_exhausted: false, waiting_bindings: ['mapping:1002'] });
  registry.applyPolicy(policy(3, 100, ['mapping:1002']));
  // Overtaken.
  registry.applyPolicy(policy(1, 1000, []));
  registry.applyPolicy(policy(4, 100, []));
  assert.deepEqual(await agent.next(), { ...notice, traffic_exhausted: false });
});

test('SessionRegistry.tellTraffic() tells the agent of a cut and of its end, once', async (t) => {
  const { welcomed, registry } = sessionRig(t);
  const agent = await welcomed();
  const before = await agent.until('limits');
  registry.tellTraffic([CLIENT_ID, OTHER_ID], true);
  registry.tellTraffic([CLIENT_ID], true);
  assert.deepEqual(await agent.next(), { ...before, traffic_exhausted: true });
  registry.tellTraffic([CLIENT_ID], false);
  assert.deepEqual(await agent.next(), before);
});

test('AgentSession.policyReady() waits for a push, for its time at most', async (t) => {
  const { welcomed, registry, clock } = sessionRig(t);
  await welcomed();
  const session = registry.get(CLIENT_ID);
  assert.ok(session);
  const isNew = (): boolean => (session.policy?.config_version ?? 0) >= 2;
  const pushed = session.policyReady(isNew, 1000, NEVER);
  registry.applyPolicy(policyOf({ config_version: 2 }));
  await pushed;
  assert.equal(clock.pending, 0);
  const late = session.policyReady(() => false, 1000, NEVER);
  clock.advance(1000);
  await late;
  await session.policyReady(() => false, 1000, AbortSignal.abort());
});

test('SessionRegistry.closeClient() tells the agent why and ends its session with its tunnels', async (t) => {
  for (const code of ['disabled', 'deleted', 'disconnected'] satisfies CloseCode[]) {
    const { welcomed, registry, authority } = sessionRig(t);
    const agent = await welcomed();
    const tunnel = await registry.get(CLIENT_ID)?.openTunnel('mapping:1001', {}, NEVER);
    const ended: number[] = [];
    registry.onClientEnded = (clientId) => ended.push(clientId);
    registry.closeClient({ ...ANY, code, message: 'why' });
    assert.equal(registry.get(CLIENT_ID), undefined);
    assert.deepEqual(await agent.until(code), { type: code, message: 'why' });
    await agent.gone;
    assert.equal(tunnel?.destroyed, true);
    assert.deepEqual(ended, code === 'disconnected' ? [] : [CLIENT_ID]);
    // Whoever gave the order knows.
    assert.deepEqual(authority.detached, []);
  }
});

test('SessionRegistry.closeClient() sends an agent with a stale ticket for another one', async (t) => {
  const { welcomed, registry } = sessionRig(t);
  const agent = await welcomed();
  registry.closeClient({ ...ANY, code: 'stale_ticket', message: 'rotated' });
  assert.deepEqual(await agent.until('refused'), { type: 'refused', code: 'stale_ticket', message: 'rotated' });
  await agent.gone;
});

for (const code of ['replaced', 'claimed'] satisfies CloseCode[]) {
  test(`SessionRegistry.closeClient() lets the tunnels of a ${code} session finish, for a minute at most`, async (t) => {
    const { welcomed, registry, clock } = sessionRig(t);
    const agent = await welcomed();
    const tunnel = await registry.get(CLIENT_ID)?.openTunnel('mapping:1001', {}, NEVER);
    registry.closeClient({ ...ANY, code, message: 'elsewhere' });
    assert.equal(registry.get(CLIENT_ID), undefined);
    await agent.until(code);
    await agent.silent;
    assert.equal(tunnel?.destroyed, false);
    assert.equal(registry.snapshot().ending, 1);
    clock.advance(60_000);
    await agent.gone;
    assert.equal(tunnel?.destroyed, true);
    await eventually(() => registry.snapshot().ending === 0);
  });
}

test('SessionRegistry.closeClient() spares other clients, other instances and later connects', async (t) => {
  const { welcomed, registry } = sessionRig(t);
  const agent = await welcomed(helloOf({ connect_seq: 5 }));
  const order = { ...ANY, code: 'disconnected', message: '' } as const;
  registry.closeClient({ ...order, client_id: OTHER_ID });
  registry.closeClient({ ...order, instance_id: OTHER_INSTANCE, connect_seq: 9 });
  registry.closeClient({ ...order, instance_id: helloOf().instance_id, connect_seq: 4 });
  assert.equal(registry.attached().length, 1);
  registry.closeClient({ ...order, instance_id: helloOf().instance_id, connect_seq: 5 });
  await agent.gone;
});

test('SessionRegistry remembers nothing against a client for the end of another connection of it', async (t) => {
  const { welcomed, connect, registry, authority } = sessionRig(t);
  const agent = await welcomed(helloOf({ connect_seq: 5 }));
  const connection = { client_id: CLIENT_ID, instance_id: OTHER_INSTANCE, connect_seq: 1 };
  registry.closeClient({ ...connection, code: 'stale_ticket', message: 'old' });
  assert.equal(registry.attached().length, 1);
  agent.socket.destroy();
  await agent.gone;
  await eventually(() => registry.attached().length === 0);
  authority.answer = async () => ({ kind: 'unreachable' });
  const again = await connect(helloOf({ connect_seq: 6 }));
  assert.equal((await again.next())?.type, 'welcome');
});

test('SessionRegistry.credentialObjection() speaks against tickets that are known to be over', async (t) => {
  const { welcomed, registry } = sessionRig(t);
  assert.equal(registry.credentialObjection(CLIENT_ID, 1), null);
  const agent = await welcomed(helloOf({ ticket: ticketOf({ generation: 2 }) }));
  assert.equal(registry.credentialObjection(CLIENT_ID, 1)?.code, 'stale_ticket');
  assert.equal(registry.credentialObjection(CLIENT_ID, 2), null);
  registry.closeClient({ ...ANY, code: 'disabled', message: 'off' });
  await agent.gone;
  assert.equal(registry.credentialObjection(CLIENT_ID, 2)?.code, 'disabled');
  assert.equal(registry.credentialObjection(CLIENT_ID, 3), null);
});

test('SessionRegistry.closeClient() reaches a session whose attach is under way', async (t) => {
  const { connect, registry, authority } = sessionRig(t);
  authority.answer = () => new Promise(() => {});
  const agent = await connect();
  await authority.when(() => authority.attached.length === 1);
  registry.closeClient({ ...ANY, code: 'deleted', message: 'gone' });
  await agent.until('deleted');
  await agent.gone;
  assert.equal(registry.snapshot().arriving, 0);
});

test('SessionRegistry.drain() sends agents away, waits for running tunnels and takes nobody new', async (t) => {
  const { welcomed, connect, registry } = sessionRig(t);
  const agent = await welcomed();
  const other = await welcomed(helloOf({ ticket: ticketOf({ clientId: OTHER_ID }), instance_id: OTHER_INSTANCE }));
  const tunnel = await registry.get(CLIENT_ID)?.openTunnel('mapping:1001', {}, NEVER);
  let drained = false;
  const draining = registry.drain(30_000).then(() => (drained = true));
  assert.deepEqual(await agent.until('drain'), { type: 'drain', deadline_ms: 30_000 });
  await other.until('drain');
  other.socket.destroy();
  const late = await connect(helloOf({ connect_seq: 2 }));
  const refused = await late.until('refused');
  assert.equal(refused.code, 'draining');
  assert.ok(refused.retry_after_ms);
  // The agent is at another relay now, as the control plane says; its tunnel goes on.
  registry.closeClient({ ...ANY, code: 'replaced', message: 'moved' });
  await agent.silent;
  assert.equal(drained, false);
  tunnel?.end('last words');
  assert.equal(String(Buffer.concat((await tunnel?.toArray()) ?? [])), 'last words');
  await draining;
});

test('SessionRegistry.drain() cuts what is left at its deadline', async (t) => {
  const { welcomed, registry, clock } = sessionRig(t);
  const agent = await welcomed();
  const draining = registry.drain(1000);
  assert.equal(registry.drain(5000), draining);
  clock.advance(1000);
  await draining;
  await agent.gone;
});

test('SessionRegistry.voidTickets() counts against a client that was never here, whatever order the words come in', (t) => {
  const { registry } = sessionRig(t);
  const order = { client_id: CLIENT_ID, code: 'stale_ticket', message: 'why' } as const;
  registry.voidTickets({ ...order, below_generation: 3 });
  registry.voidTickets({ ...order, below_generation: 2 });
  assert.equal(registry.credentialObjection(CLIENT_ID, 2)?.code, 'stale_ticket');
  assert.equal(registry.credentialObjection(CLIENT_ID, 3), null);
  assert.equal(registry.credentialObjection(CLIENT_ID + 1, 1), null);
});

test('SessionRegistry.drain() is done at once where nobody is', async (t) => {
  const { registry } = sessionRig(t);
  await registry.drain(1000);
  assert.equal(registry.draining, true);
});

test('SessionRegistry.stop() cuts everything, during a drain too', async (t) => {
  const { welcomed, registry } = sessionRig(t);
  const agent = await welcomed();
  const draining = registry.drain(30_000);
  registry.stop();
  await draining;
  await agent.gone;
});
