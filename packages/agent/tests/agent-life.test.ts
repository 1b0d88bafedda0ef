import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { loadOrCreateNodeIdentity } from '@tunnox/certificates/node-identity';
import type { RelayMessage } from '@tunnox/protocol/control-message';
import { FakeRelay } from '@tunnox/testing/fake-relay';
import { answerAtEnd, service, setUp, target, text } from './set-up.ts';

test('Agent that drains connects elsewhere before it leaves, and its open tunnels finish', async (t) => {
  const relays = [new FakeRelay('node-001'), new FakeRelay('node-002')] as const;
  const { plane, start } = await setUp(t, [...relays]);
  plane.bindings = [target(await service(t, answerAtEnd))];
  const { event } = start();
  await event('connected');
  const old = await relays[0].sessions.next();
  const tunnel = await old.open('mapping:1001');
  let left = false;
  void old.closed.then(() => (left = true));
  old.send({ type: 'drain', deadline_ms: 30_000 });
  assert.equal((await event('connected')).nodeId, 'node-002');
  const fresh = await relays[1].sessions.next();
  assert.equal(fresh.hello.connect_seq, 2);
  // What the old relay hears from the cluster does not concern this agent any more.
  old.send({ type: 'replaced', message: 'elsewhere' });
  assert.equal(left, false);
  tunnel.end('still here');
  assert.equal(await text(tunnel), 'got still here');
  await old.closed;
  assert.equal(await text((await fresh.open('mapping:1001')).end('new')), 'got new');
});

test('Agent that drains serves on at its relay until another one takes it', async (t) => {
  const relays = [new FakeRelay('node-001'), new FakeRelay('node-002')] as const;
  relays[1].greet = () => null;
  const { plane, start } = await setUp(t, [...relays]);
  plane.bindings = [target(await service(t, answerAtEnd))];
  const { event } = start();
  await event('connected');
  const old = await relays[0].sessions.next();
  old.send({ type: 'drain', deadline_ms: 30_000 });
  await relays[1].sessions.next();
  assert.equal(await text((await old.open('mapping:1001')).end('x')), 'got x');
});

const endings: [RelayMessage, string][] = [
  [{ type: 'replaced', message: 'elsewhere' }, 'replaced'],
  [{ type: 'deleted', message: 'gone' }, 'deleted'],
  [{ type: 'refused', code: 'replaced', message: 'elsewhere' }, 'replaced'],
  [{ type: 'refused', code: 'deleted', message: 'gone' }, 'deleted'],
];
for (const [message, code] of endings) {
  const name = message.type === 'refused' ? `refused ${message.code}` : message.type;
  test(`Agent ends with '${code}' when its relay says ${name}`, async (t) => {
    const relay = new FakeRelay('node-001');
    const { start } = await setUp(t, [relay]);
    const { agent, event } = start();
    await event('connected');
    const session = await relay.sessions.next();
    session.send(message);
    assert.equal((await agent.run()).code, code);
    await session.closed;
    assert.equal((await event('ended')).ending.code, code);
  });
}

for (const code of ['deleted', 'protocol_unsupported'] as const) {
  test(`Agent ends when a relay refuses it with ${code}`, async (t) => {
    const relay = new FakeRelay('node-001');
    relay.greet = () => ({ type: 'refused', code, message: 'no' });
    const { start } = await setUp(t, [relay]);
    assert.equal((await start().agent.run()).code, code);
  });
}

const switchedOff: [string, RelayMessage][] = [
  ['says disabled', { type: 'disabled', message: 'off' }],
  ['refuses it as disabled', { type: 'refused', code: 'disabled', message: 'off' }],
];
for (const [name, message] of switchedOff) {
  test(`Agent waits when its relay ${name}, and comes back when the client is on again`, async (t) => {
    const relay = new FakeRelay('node-001');
    const { plane, clock, start } = await setUp(t, [relay]);
    const { event, events } = start();
    await event('connected');
    plane.problems.push({ status: 403, code: 'client_disabled' }, { status: 403, code: 'client_disabled' });
    (await relay.sessions.next()).send(message);
    const refused = async () => {
      await events.next((each) => each.type === 'setback' && each.code === 'client_disabled');
      assert.equal((await event('waiting')).delayMs, 30_000);
      clock.advance(30_000);
    };
    await refused();
    await refused();
    await event('connected');
  });
}

test('Agent that its owner has disconnected says so and comes back by itself', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  const { event } = start();
  await event('connected');
  const session = await relay.sessions.next();
  session.send({ type: 'disconnected', message: 'bye' });
  assert.deepEqual(await event('setback'), { type: 'setback', code: 'disconnected', message: 'bye' });
  await session.closed;
  await event('connected');
  assert.equal((await relay.sessions.next()).hello.connect_seq, 2);
  assert.equal(plane.sessions.all.length, 1);
});

test('Agent that is claimed takes the new identity with its old code, at once, and shows the new one', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, clock, start } = await setUp(t, [relay]);
  plane.clientId = 200_000_001;
  const { event, saved } = start({}, { clientId: 200_000_001, authCode: 'old' });
  await event('connected');
  // The back-off of an outage long ago has nothing to do with it.
  clock.advance(60_000);
  plane.clientId = 600_000_009;
  plane.newCode = 'new';
  plane.version = 1;
  (await relay.sessions.next()).send({ type: 'claimed', message: 'yours' });
  const taken = await event('session');
  assert.deepEqual([taken.newClient, taken.claimedFrom], [true, 200_000_001]);
  await event('connected');
  assert.deepEqual(saved, [{ clientId: 600_000_009, authCode: 'new', claimedFrom: 200_000_001 }]);
  const confirmed = await event('session');
  assert.deepEqual([confirmed.newClient, confirmed.claimedFrom], [false, null]);
  const shown = plane.sessions.all.map(({ request }) => [request.client_id, request.auth_code]);
  assert.deepEqual(shown.slice(1), [
    [200_000_001, 'old'],
    [600_000_009, 'new'],
  ]);
  assert.equal((await relay.sessions.next()).hello.ticket, plane.sessions.all[1]?.ticket);
  assert.equal(relay.sessions.all.length, 2);
});

test('Agent asks again with its old code when the answer with the new identity is lost', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, clock, start } = await setUp(t, [relay]);
  plane.clientId = 200_000_001;
  const { event, events, saved } = start({}, { clientId: 200_000_001, authCode: 'old' });
  await event('connected');
  plane.clientId = 600_000_009;
  plane.newCode = 'new';
  plane.problems.push({ status: 503, code: 'unavailable' });
  (await relay.sessions.next()).send({ type: 'claimed', message: 'yours' });
  await events.next((each) => each.type === 'state' && each.state.kind === 'backing-off');
  clock.advance(2000);
  await event('connected');
  assert.deepEqual(
    plane.sessions.all.slice(1, 3).map(({ request }) => request.auth_code),
    ['old', 'old'],
  );
  assert.equal(saved.length, 1);
});

test('Agent that was claimed while it was away takes the new identity at the start', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  plane.newCode = 'new';
  const { event, saved } = start({}, { clientId: 200_000_001, authCode: 'old' });
  const { newClient, claimedFrom } = await event('session');
  assert.deepEqual([newClient, claimedFrom], [true, 200_000_001]);
  await event('connected');
  assert.deepEqual(saved, [{ clientId: 600_000_001, authCode: 'new', claimedFrom: 200_000_001 }]);
});

const refusals: [status: number, apiCode: string, code: string][] = [
  [401, 'unauthenticated', 'unauthenticated'],
  [403, 'client_claimed', 'claimed'],
  [403, 'quota_exceeded', 'rejected'],
  [426, 'protocol_unsupported', 'protocol_unsupported'],
];
for (const [status, apiCode, code] of refusals) {
  test(`Agent ends with '${code}' when the control plane says ${apiCode}`, async (t) => {
    const { plane, start } = await setUp(t, []);
    plane.problems.push({ status, code: apiCode });
    const ending = await start().agent.run();
    assert.equal(ending.code, code);
    assert.equal(ending.apiCode, apiCode);
  });
}

test('Agent waits when the control plane is not well', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, clock, start } = await setUp(t, [relay]);
  plane.problems.push({ status: 503, code: 'unavailable' });
  const { event, events } = start();
  await events.next((each) => each.type === 'state' && each.state.kind === 'backing-off');
  clock.advance(1000);
  await event('connected');
});

test('Agent renews its ticket in the background from half its life on, also after a failure', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, clock, start } = await setUp(t, [relay]);
  const { event } = start();
  await event('connected');
  clock.advance(6 * 3_600_000 - 60_000);
  await turn();
  assert.equal(plane.sessions.all.length, 1);
  plane.down = true;
  clock.advance(60_000);
  await turn();
  plane.down = false;
  clock.advance(60_000);
  await plane.sessions.next();
  await plane.sessions.next();
  assert.equal(relay.sessions.all.length, 1);
});

test('Agent.stop() says goodbye and closes everything', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, clock, start } = await setUp(t, [relay]);
  plane.bindings = [target(await service(t, answerAtEnd))];
  const { agent, event } = start();
  await event('connected');
  const session = await relay.sessions.next();
  await session.open('mapping:1001');
  void agent.stop();
  await agent.stop();
  await session.messages.next((message) => message.type === 'bye');
  await session.closed;
  assert.equal((await agent.run()).code, 'stopped');
  assert.equal(clock.pending, 0);
});

test('Agent.stop() ends an agent that has got nowhere', async (t) => {
  const relay = new FakeRelay('node-001');
  relay.silent = true;
  const { clock, start } = await setUp(t, [relay]);
  const { agent } = start();
  await relay.connections.next();
  await agent.stop();
  assert.equal((await agent.run()).code, 'stopped');
  assert.equal(clock.pending, 0);
});

for (const transport of ['tls', 'ws', 'auto'] as const) {
  test(`Agent connects by '${transport}' with the node key pinned, and serves`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'tunnox-agent-'));
    t.after(() => rm(folder, { recursive: true }));
    const relay = new FakeRelay('node-001', await loadOrCreateNodeIdentity(folder));
    const { plane, start } = await setUp(t, [relay]);
    plane.bindings = [target(await service(t, answerAtEnd))];
    const { event } = start({ plaintext: false, transport });
    assert.equal((await event('connected')).transport, transport === 'ws' ? 'ws' : 'tls');
    const tunnel = await (await relay.sessions.next()).open('mapping:1001');
    const big = 'x'.repeat(300_000);
    assert.equal(await text(tunnel.end(big)), `got ${big}`);
  });
}

test("Agent connects by WebSocket with 'auto' when TLS ports do not answer", async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  const [address] = plane.relays;
  assert.ok(address !== undefined);
  address.agent_tcp = '127.0.0.1:1';
  assert.equal((await start({ transport: 'auto' }).event('connected')).transport, 'ws');
});

test('Agent sends no ticket to a relay with another key', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tunnox-agent-'));
  t.after(() => rm(folder, { recursive: true }));
  const relay = new FakeRelay('node-001', await loadOrCreateNodeIdentity(folder));
  const { plane, start } = await setUp(t, [relay]);
  const [address] = plane.relays;
  assert.ok(address !== undefined);
  address.fingerprint = 'f'.repeat(64);
  const { message } = await start({ plaintext: false, transport: 'auto' }).event('setback');
  assert.match(message, /Cannot trust/);
  assert.equal(relay.sessions.all.length, 0);
});
