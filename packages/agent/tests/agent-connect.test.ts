import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { FakeRelay } from '@tunnox/testing/fake-relay';
import { answerAtEnd, freezable, service, setUp, target, text } from './set-up.ts';

test('Agent.run() connects, applies its configuration and serves a target with half-close', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  plane.bindings = [target(await service(t, answerAtEnd))];
  const { agent, event } = start();
  assert.equal((await event('connected')).nodeId, 'node-001');
  const session = await relay.sessions.next();
  assert.equal(session.hello.connect_seq, 1);
  assert.match(session.hello.instance_id, /^[0-9A-Z]{26}$/);
  assert.deepEqual(await session.messages.next(), { type: 'config_applied', version: 1, problems: [] });
  const tunnel = await session.open('mapping:1001');
  tunnel.end('hello');
  assert.equal(await text(tunnel), 'got hello');
  const { bytesIn, bytesOut, open, total } = agent.traffic;
  assert.deepEqual([bytesIn, bytesOut, open, total], [5, 9, 0, 1]);
});

test('Agent reconnects at once to the same relay, with the ticket that it has', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  const { event } = start();
  await event('connected');
  const first = await relay.sessions.next();
  plane.down = true;
  first.destroy();
  const second = await relay.sessions.next();
  assert.equal(second.hello.connect_seq, 2);
  assert.equal(second.hello.instance_id, first.hello.instance_id);
  assert.equal(second.hello.ticket, first.hello.ticket);
  assert.equal(plane.sessions.all.length, 1);
});

test('Agent goes to the other relay when its own is killed', async (t) => {
  const relays = [new FakeRelay('node-001'), new FakeRelay('node-002')] as const;
  const { start } = await setUp(t, [...relays]);
  const { event } = start();
  assert.equal((await event('connected')).nodeId, 'node-001');
  relays[0].kill();
  assert.equal((await event('connected')).nodeId, 'node-002');
});

test('Agent is not held up by a relay that accepts and says nothing', async (t) => {
  const relays = [new FakeRelay('node-001'), new FakeRelay('node-002')] as const;
  relays[0].silent = true;
  const { clock, start } = await setUp(t, [...relays]);
  const { event } = start();
  await relays[0].connections.next();
  clock.advance(999);
  await turn();
  assert.equal(relays[1].connections.all.length, 0);
  clock.advance(1);
  assert.equal((await event('connected')).nodeId, 'node-002');
});

test('Agent asks another relay when one does not answer hello or has no room', async (t) => {
  const relays = [new FakeRelay('node-001'), new FakeRelay('node-002'), new FakeRelay('node-003')] as const;
  relays[0].greet = () => null;
  relays[1].greet = () => ({ type: 'refused', code: 'overloaded', message: 'full', retry_after_ms: 1000 });
  const { clock, start } = await setUp(t, [...relays]);
  const { event } = start();
  await relays[0].sessions.next();
  clock.advance(10_000);
  assert.equal((await event('connected')).nodeId, 'node-003');
  const seqs = relays.map((relay) => relay.sessions.all.map(({ hello }) => hello.connect_seq));
  assert.deepEqual(seqs, [[1], [2], [3]]);
});

test('Agent backs off while no relay takes it, for as long as the relays ask', async (t) => {
  const relay = new FakeRelay('node-001');
  let open = false;
  relay.greet = () =>
    open
      ? { type: 'welcome', node_id: 'node-001', heartbeat_ms: 15_000, protocol: 1 }
      : { type: 'refused', code: 'unavailable', message: 'later', retry_after_ms: 7000 };
  const { clock, start } = await setUp(t, [relay]);
  const { event, events } = start();
  await events.next((each) => each.type === 'state' && each.state.kind === 'backing-off');
  assert.equal((await Promise.resolve(events.all)).filter((each) => each.type === 'setback').length, 1);
  open = true;
  clock.advance(6999);
  assert.equal(relay.sessions.all.length, 1);
  clock.advance(1);
  await event('connected');
});

test('Agent gets a new ticket when the one it has has ended', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  relay.greet = ({ ticket }) =>
    ticket === plane.sessions.all[0]?.ticket
      ? { type: 'refused', code: 'ticket_expired', message: 'over' }
      : { type: 'welcome', node_id: 'node-001', heartbeat_ms: 15_000, protocol: 1 };
  const { event } = start();
  await event('connected');
  assert.equal(plane.sessions.all.length, 2);
});

test('Agent waits for a control plane that is away', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, clock, start } = await setUp(t, [relay]);
  plane.down = true;
  const { event, events } = start();
  const { code } = await event('setback');
  assert.equal(code, 'unreachable');
  await events.next((each) => each.type === 'state' && each.state.kind === 'backing-off');
  plane.down = false;
  clock.advance(1000);
  await event('connected');
});

test('Agent asks for the relays of today when those it knows are gone', async (t) => {
  const relays = [new FakeRelay('node-001'), new FakeRelay('node-002')] as const;
  const { plane, clock, start } = await setUp(t, [...relays]);
  const [first, second] = plane.relays;
  assert.ok(first !== undefined && second !== undefined);
  plane.relays = [first];
  const { event, events } = start();
  await event('connected');
  plane.relays = [second];
  relays[0].kill();
  for (let round = 0; round < 2; round += 1) {
    await events.next((each) => each.type === 'state' && each.state.kind === 'backing-off');
    clock.advance(30_000);
  }
  assert.equal((await event('connected')).nodeId, 'node-002');
});

test('Agent of a platform that is away as a whole tries every ten seconds for two minutes, then every thirty', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, clock, start } = await setUp(t, [relay]);
  const { event } = start();
  await event('connected');
  clock.advance(10_000);
  plane.down = true;
  relay.kill();
  const delays: number[] = [];
  for (let tries = 0; tries < 17; tries += 1) {
    const { delayMs } = await event('waiting');
    delays.push(delayMs);
    clock.advance(delayMs);
  }
  assert.deepEqual(delays, [1000, 2000, 4000, 8000, ...Array<number>(11).fill(10_000), 30_000, 30_000]);
});

test('Agent whose relays alone are away backs off to thirty seconds', async (t) => {
  const relay = new FakeRelay('node-001');
  const { clock, start } = await setUp(t, [relay]);
  const { event } = start();
  await event('connected');
  clock.advance(10_000);
  relay.kill();
  const delays: number[] = [];
  for (let tries = 0; tries < 6; tries += 1) {
    const { delayMs } = await event('waiting');
    delays.push(delayMs);
    clock.advance(delayMs);
  }
  assert.deepEqual(delays, [1000, 2000, 4000, 8000, 16_000, 30_000]);
});

test('Agent that wakes up does not wait for its back-off', async (t) => {
  const relay = new FakeRelay('node-001');
  let open = false;
  relay.greet = () =>
    open
      ? { type: 'welcome', node_id: 'node-001', heartbeat_ms: 15_000, protocol: 1 }
      : { type: 'refused', code: 'unavailable', message: 'later', retry_after_ms: 3_600_000 };
  const { clock, sleep, start } = await setUp(t, [relay]);
  const { event, events } = start();
  await events.next((each) => each.type === 'state' && each.state.kind === 'backing-off');
  open = true;
  clock.advance(2000);
  sleep(60_000);
  clock.advance(1000);
  await event('connected');
});

test('Agent that wakes up leaves a relay that does not answer, and stays with one that does', async (t) => {
  const relays = [new FakeRelay('node-001'), new FakeRelay('node-002')] as const;
  const { plane, clock, sleep, start } = await setUp(t, [...relays]);
  const [first] = plane.relays;
  assert.ok(first !== undefined);
  const line = await freezable(t, first.agent_tcp);
  first.agent_tcp = line.address;
  const { event, events } = start();
  await event('connected');
  sleep(60_000);
  clock.advance(1000);
  // The answer takes a few turns of both sides.
  while (clock.pending > WATCHES) await turn();
  clock.advance(5000);
  assert.equal(relays[1].connections.all.length, 0);
  line.freeze();
  sleep(60_000);
  clock.advance(1000);
  clock.advance(3000);
  await events.next((each) => each.type === 'setback' && each.code === 'connection_lost');
  await turn();
  clock.advance(1000);
  assert.equal((await event('connected')).nodeId, 'node-002');
});

/** Timers of a connected agent: stall watch and renewal check. */
const WATCHES = 2;
