import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { RelayMessage } from '@tunnox/protocol/control-message';
import { socketPair } from '@tunnox/testing/socket-pair';
import { eventually } from '../../tests/support/eventually.ts';
import { CLIENT_ID, echo, FakeAgent, helloOf, ticketOf } from '../../tests/support/fake-agent.ts';
import { bindingOf, policyOf, sessionRig } from '../../tests/support/session-rig.ts';
import type { AttachOutcome } from './ports.ts';

const OTHER_INSTANCE = '01BX5ZZKBKACTAV9WEVGEMMVRZ';
const NEVER = new AbortController().signal;

test('AgentSessionServer welcomes an agent with a good ticket, then says what is known', async (t) => {
  const { connect, registry, authority, server } = sessionRig(t);
  const agent = await connect();
  assert.deepEqual(await agent.next(), { type: 'welcome', node_id: 'node-001', heartbeat_ms: 15_000, protocol: 1 });
  assert.deepEqual(await agent.next(), { type: 'config_changed', version: 1 });
  assert.deepEqual(await agent.next(), {
    type: 'limits',
    bandwidth_bytes_per_s: null,
    max_connections_per_mapping: null,
    traffic_exhausted: false,
  });
  assert.equal(agent.authenticated(), 1);
  const client = { client_id: CLIENT_ID, instance_id: helloOf().instance_id, connect_seq: 1, generation: 1 };
  assert.deepEqual(registry.attached(), [client]);
  assert.deepEqual(authority.attached, [client]);
  assert.deepEqual(registry.get(CLIENT_ID)?.policy, policyOf());
  assert.equal(server.snapshot().accepted, 1);
});

test('AgentSessionServer carries tunnels of a welcomed agent', async (t) => {
  const { welcomed, registry } = sessionRig(t);
  await welcomed();
  const stream = await registry.get(CLIENT_ID)?.openTunnel('mapping:1001', {}, NEVER);
  assert.ok(stream);
  assert.equal(registry.snapshot().tunnels, 1);
  const closed = once(stream, 'close');
  stream.end('hello');
  assert.equal(String(Buffer.concat(await stream.toArray())), 'hello');
  await closed;
  assert.equal(registry.snapshot().tunnels, 0);
});

test('AgentSessionServer turns agents away with a code, and their connection ends', async (t) => {
  const { connect, server, authority, registry } = sessionRig(t);
  for (const [hello, code] of [
    [helloOf({ protocol: 0 }), 'protocol_unsupported'],
    [helloOf({ protocol: 99 }), 'protocol_unsupported'],
    [helloOf({ ticket: 'forged' }), 'bad_ticket'],
    [helloOf({ ticket: ticketOf({ group: 'other' }) }), 'bad_ticket'],
  ] as const) {
    const agent = await connect(hello);
    const refused = await agent.until('refused');
    assert.equal(refused.code, code);
    assert.equal(refused.retry_after_ms, undefined);
    await agent.gone;
    assert.equal(agent.authenticated(), 0);
  }
  assert.deepEqual(server.snapshot().refused, { protocol_unsupported: 2, bad_ticket: 2 });
  assert.deepEqual(authority.attached, []);
  assert.deepEqual(registry.attached(), []);
});

test('AgentSessionServer passes on the refusal of the control plane', async (t) => {
  const { connect, authority, registry } = sessionRig(t);
  authority.answer = async () => ({ kind: 'refused', code: 'claimed', message: 'The client was claimed' });
  const agent = await connect();
  assert.deepEqual(await agent.next(), { type: 'refused', code: 'claimed', message: 'The client was claimed' });
  await agent.gone;
  assert.deepEqual(registry.attached(), []);
  assert.deepEqual(authority.detached, []);
});

test('AgentSessionServer ends sessions that say something malformed', async (t) => {
  const { connect, server } = sessionRig(t);
  for (const bytes of ['rubbish\n', '{"type":"bye"}\n', '{"type":"hello","protocol":"1"}\n', 'x'.repeat(70_000)]) {
    const agent = await connect(null);
    agent.session.on('stream', () => agent.write(bytes));
    assert.equal((await agent.until('refused')).code, 'malformed');
    await agent.gone;
  }
  assert.deepEqual(server.snapshot().refused, { malformed: 4 });
});

test('AgentSessionServer ends a session that says hello twice', async (t) => {
  const { welcomed, authority } = sessionRig(t);
  const agent = await welcomed();
  agent.send(helloOf());
  assert.equal((await agent.until('refused')).code, 'malformed');
  await agent.gone;
  await authority.when(() => authority.detached.length === 1);
});

test('AgentSessionServer gives an agent ten seconds for its hello', async (t) => {
  const { connect, clock, server } = sessionRig(t);
  const agent = await connect(null);
  clock.advance(9_999);
  assert.equal(agent.session.destroyed, false);
  clock.advance(1);
  await agent.gone;
  assert.deepEqual(server.snapshot().refused, { timeout: 1 });
});

test('AgentSessionServer welcomes by ticket alone when the control plane is away', async (t) => {
  const { welcomed, authority, registry } = sessionRig(t);
  authority.answer = async () => ({ kind: 'unreachable' });
  await welcomed();
  assert.equal(registry.get(CLIENT_ID)?.policy, null);
});

test('AgentSessionServer waits two seconds for the control plane and applies a late answer', async (t) => {
  for (const late of ['accepted', 'refused', 'fails'] as const) {
    const { connect, clock, authority, registry } = sessionRig(t);
    let answer = (_outcome: AttachOutcome): void => {};
    let fail = (_error: Error): void => {};
    authority.answer = () =>
      new Promise((resolve, reject) => {
        answer = resolve;
        fail = reject;
      });
    const agent = await connect();
    await authority.when(() => authority.attached.length === 1);
    clock.advance(2000);
    assert.equal((await agent.next()).type, 'welcome');
    switch (late) {
      case 'accepted':
        answer({ kind: 'accepted', policy: policyOf({ config_version: 7 }) });
        assert.deepEqual(await agent.next(), { type: 'config_changed', version: 7 });
        break;
      case 'refused':
        answer({ kind: 'refused', code: 'disabled', message: 'off' });
        assert.deepEqual(await agent.next(), { type: 'disabled', message: 'off' });
        await agent.gone;
        break;
      case 'fails':
        fail(new Error('no'));
        agent.send({ type: 'config_applied', version: 1, problems: [] });
        await authority.when(() => authority.applied.length === 1);
        assert.equal(registry.attached().length, 1);
        break;
    }
  }
});

test('AgentSessionServer detaches at once an agent that is lost or says bye', async (t) => {
  for (const way of ['lost', 'bye'] as const) {
    const { welcomed, authority, registry } = sessionRig(t);
    const agent = await welcomed();
    if (way === 'lost') agent.socket.resetAndDestroy();
    else agent.send({ type: 'bye' });
    await authority.when(() => authority.detached.length === 1);
    assert.deepEqual(authority.detached, authority.attached);
    assert.deepEqual(registry.attached(), []);
    await agent.gone;
    assert.equal(authority.detached.length, 1);
  }
});

test('AgentSessionServer takes back the attach of an agent that was lost during it', async (t) => {
  const { connect, authority, registry } = sessionRig(t);
  let answer = (_outcome: AttachOutcome): void => {};
  authority.answer = () => new Promise((resolve) => (answer = resolve));
  const agent = await connect();
  await authority.when(() => authority.attached.length === 1);
  assert.equal(registry.snapshot().arriving, 1);
  agent.socket.resetAndDestroy();
  await agent.gone;
  await eventually(() => registry.snapshot().arriving === 0);
  answer({ kind: 'accepted', policy: policyOf() });
  await authority.when(() => authority.detached.length === 1);
  assert.deepEqual(registry.attached(), []);
});

test('AgentSessionServer ends the session when the control stream ends', async (t) => {
  const { welcomed, authority } = sessionRig(t);
  const agent = await welcomed();
  agent.closeControl();
  await agent.gone;
  await authority.when(() => authority.detached.length === 1);
});

test('AgentSessionServer passes on what the agent applied and bears what it does not know', async (t) => {
  const { welcomed, authority } = sessionRig(t);
  const agent = await welcomed();
  agent.write('{"type":"weather","sunny":true}\n');
  agent.send({ type: 'health', binding_id: 'mapping:1001', state: 'down' });
  const problems = [{ binding_id: 'mapping:1001', code: 'port_in_use', message: 'taken' }];
  agent.send({ type: 'config_applied', version: 3, problems });
  await authority.when(() => authority.applied.length === 1);
  assert.deepEqual(authority.applied, [{ clientId: CLIENT_ID, version: 3, problems }]);
});

test('a later connection of the same process takes over in silence; the earlier one finishes its tunnels', async (t) => {
  const { welcomed, connect, authority, registry } = sessionRig(t);
  const first = await welcomed(helloOf({ connect_seq: 1 }));
  const running = await registry.get(CLIENT_ID)?.openTunnel('mapping:1001', {}, NEVER);
  await welcomed(helloOf({ connect_seq: 2 }));
  assert.deepEqual(
    registry.attached().map((client) => client.connect_seq),
    [2],
  );
  await first.silent;
  running?.end('still here');
  assert.equal(String(Buffer.concat((await running?.toArray()) ?? [])), 'still here');
  await first.gone;
  assert.deepEqual(authority.detached, []);
  // What the first heard: nothing of a replacement.
  const early = await connect(helloOf({ connect_seq: 1 }));
  assert.equal((await early.until('refused')).code, 'replaced');
});

test('another process takes over and the earlier one is told', async (t) => {
  const { welcomed, registry, authority } = sessionRig(t);
  const first = await welcomed(helloOf({ connect_seq: 9 }));
  await welcomed(helloOf({ connect_seq: 1, instance_id: OTHER_INSTANCE }));
  assert.equal((await first.until('replaced')).type, 'replaced');
  await first.gone;
  assert.deepEqual(
    registry.attached().map((client) => client.instance_id),
    [OTHER_INSTANCE],
  );
  assert.deepEqual(authority.detached, []);
});

test('an older credential does not push a newer one out', async (t) => {
  const { welcomed, connect, registry } = sessionRig(t);
  await welcomed(helloOf({ ticket: ticketOf({ generation: 2 }) }));
  const stale = await connect(helloOf({ instance_id: OTHER_INSTANCE, ticket: ticketOf({ generation: 1 }) }));
  assert.equal((await stale.until('refused')).code, 'stale_ticket');
  assert.equal(registry.attached()[0]?.generation, 2);
});

test('a newcomer that the control plane refuses leaves the standing session alone', async (t) => {
  const { welcomed, connect, authority, registry } = sessionRig(t);
  await welcomed();
  authority.answer = async () => ({ kind: 'refused', code: 'stale_ticket', message: 'old' });
  const stale = await connect(helloOf({ instance_id: OTHER_INSTANCE }));
  assert.equal((await stale.until('refused')).code, 'stale_ticket');
  await stale.gone;
  assert.equal(registry.attached()[0]?.instance_id, helloOf().instance_id);
});

test('a client that comes back while the control plane is away has its last policy', async (t) => {
  const { welcomed, authority, registry } = sessionRig(t);
  const agent = await welcomed();
  const policy = policyOf({ config_version: 5, bindings: [bindingOf({ version: 3 })] });
  registry.applyPolicy(policy);
  agent.socket.destroy();
  await authority.when(() => authority.detached.length === 1);
  authority.answer = async () => ({ kind: 'unreachable' });
  const again = await welcomed(helloOf({ connect_seq: 2 }));
  assert.deepEqual(registry.get(CLIENT_ID)?.policy, policy);
  assert.deepEqual(await again.next(), { type: 'config_changed', version: 5 } satisfies RelayMessage);
});

test('a client that was switched off is refused while the control plane is away, and heard again when it is back', async (t) => {
  const { welcomed, connect, authority, registry } = sessionRig(t);
  const agent = await welcomed();
  registry.closeClient({
    client_id: CLIENT_ID,
    instance_id: null,
    connect_seq: null,
    code: 'disabled',
    message: 'off',
  });
  await agent.gone;
  authority.answer = async () => ({ kind: 'unreachable' });
  const refused = await connect(helloOf({ connect_seq: 2 }));
  assert.equal((await refused.until('refused')).code, 'disabled');
  authority.answer = async () => ({ kind: 'accepted', policy: policyOf() });
  await welcomed(helloOf({ connect_seq: 3 }));
});

test('AgentSessionServer bears connections that are no HTTP/2 at all', async (t) => {
  const { connect } = sessionRig(t);
  const agent = await connect(null);
  agent.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100));
  await agent.gone;
});

test('AgentSessionServer does not attach an agent that has gone while its ticket was checked', async (t) => {
  const { client, server: accepted } = await socketPair(false);
  t.after(() => client.destroy());
  const { server, registry, authority } = sessionRig(t, {
    verify: async (ticket) => {
      client.destroy();
      await once(accepted, 'close');
      await new Promise((resolve) => setImmediate(resolve));
      return JSON.parse(ticket);
    },
  });
  server.accept(accepted, { authenticated: () => {} });
  void new FakeAgent(client, helloOf(), echo);
  await eventually(() => server.snapshot().refused['unavailable'] === 1);
  assert.deepEqual(authority.attached, []);
  assert.equal(registry.snapshot().arriving, 0);
});
