import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { parseAllowRule } from '@tunnox/agent/target/allow-rule';
import { makeProof } from '@tunnox/agent/proof';
import { HEADER } from '@tunnox/protocol/names';
import { acceptTunnel, refuseTunnel } from '@tunnox/streams/answer-tunnel';
import { StreamRefused } from '@tunnox/streams/stream-refused';
import { FakeRelay, type FakeSession } from '@tunnox/testing/fake-relay';
import { answerAtEnd, service, setUp, source, target, text } from './set-up.ts';

const SECRET = Buffer.alloc(32, 7).toString('base64url');
const tunnelId = (number: number): string => `01J0000000000000000000${String(number).padStart(4, '0')}`;

async function causeOf(session: FakeSession, bindingId: string, headers?: Record<string, string>): Promise<string> {
  const error: unknown = await session.open(bindingId, headers).then(
    () => assert.fail('must be refused'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StreamRefused, String(error));
  return error.tunnelCause;
}

/** A port that nobody uses now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

test('Agent fetches and applies a configuration when its relay speaks of a newer one', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  const { event } = start();
  await event('connected');
  const session = await relay.sessions.next();
  assert.equal(await causeOf(session, 'mapping:1001'), 'unknown_binding');
  plane.version = 2;
  plane.bindings = [target(await service(t, answerAtEnd))];
  session.send({ type: 'config_changed', version: 2 });
  // The tunnel is there before the configuration: it waits.
  const tunnel = await session.open('mapping:1001');
  assert.equal(await text(tunnel.end('x')), 'got x');
  const applied = await session.messages.next((message) => message.type === 'config_applied' && message.version === 2);
  assert.deepEqual(applied, { type: 'config_applied', version: 2, problems: [] });
  session.send({ type: 'config_changed', version: 2 });
  session.send({ type: 'config_changed', version: 3 });
  await plane.configCalls.next((since) => since === 2);
  assert.deepEqual(plane.configCalls.all, [1, 2]);
});

test('Agent applies a configuration later when the control plane is away', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, clock, start } = await setUp(t, [relay]);
  const { agent, event } = start();
  await event('connected');
  plane.version = 2;
  plane.down = true;
  await agent.refreshConfig();
  plane.down = false;
  clock.advance(10_000);
  assert.equal((await event('config')).version, 2);
});

test('Agent reports what it cannot do', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  const taken = await service(t, () => {});
  plane.bindings = [
    target(53, { binding_id: 'mapping:1', protocol: 'udp', target_scheme: 'udp' }),
    target(80, { binding_id: 'mapping:2', target_host: '169.254.169.254' }),
    source(taken, { binding_id: 'mapping:3' }),
    source(await freePort(), { binding_id: 'mapping:4', protocol: 'socks5', target: null }),
    target(53, { binding_id: 'mapping:5', protocol: 'udp', target_scheme: 'udp', enabled: false }),
  ];
  const { event } = start();
  await event('connected');
  const session = await relay.sessions.next(({ kind }) => kind === 'serve');
  const applied = await session.messages.next((message) => message.type === 'config_applied');
  const codes = applied.problems.map(({ binding_id, code }) => `${binding_id} ${code}`);
  assert.deepEqual(codes.sort(), [
    'mapping:1 protocol_unsupported',
    'mapping:2 not_allowed',
    'mapping:3 port_in_use',
    'mapping:4 protocol_unsupported',
  ]);
});

test('Agent reports of very many problems as many as a message holds', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  plane.bindings = Array.from({ length: 1500 }, (_, n) =>
    target(80, { binding_id: `mapping:${n + 1}`, target_host: '169.254.169.254' }),
  );
  const { event } = start();
  assert.equal((await event('config')).problems.length, 1500);
  const session = await relay.sessions.next(({ kind }) => kind === 'serve');
  const applied = await session.messages.next((message) => message.type === 'config_applied');
  assert.equal(applied.version, 1);
  assert.ok(applied.problems.length > 300 && applied.problems.length <= 1000);
});

test('Agent opens a port as soon as it is free, and says so', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, clock, start } = await setUp(t, [relay]);
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as { port: number };
  plane.bindings = [source(port)];
  const { event } = start();
  assert.equal((await event('config')).problems[0]?.code, 'port_in_use');
  holder.close();
  await once(holder, 'close');
  clock.advance(3000);
  assert.deepEqual((await event('config')).problems, []);
});

test('Agent tells the relay why a tunnel cannot be opened, and whoever runs it', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  plane.bindings = [
    target(await freePort(), { binding_id: 'mapping:1' }),
    target(80, { binding_id: 'mapping:2', target_host: '169.254.169.254' }),
    target(80, { binding_id: 'mapping:3', enabled: false }),
    target(80, { binding_id: 'mapping:4', target_host: 'name.invalid' }),
    target(await service(t, (socket) => socket.destroy()), { binding_id: 'domain:5', target_scheme: 'https' }),
  ];
  const { event } = start();
  await event('connected');
  const session = await relay.sessions.next();
  const causes = ['refused', 'not_allowed', 'disabled', 'dns', 'tls'];
  for (const [index, cause] of causes.entries()) {
    const bindingId = plane.bindings[index]?.binding_id ?? '';
    assert.equal(await causeOf(session, bindingId), cause);
    const failed = await event('tunnel_failed');
    assert.deepEqual([failed.bindingId, failed.cause], [bindingId, cause]);
  }
});

test('Agent resets the target when the visitor resets, and the visitor when the target does', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  const sockets: Socket[] = [];
  const port = await service(t, (socket) => void sockets.push(socket.resume()));
  plane.bindings = [target(port)];
  const { event } = start();
  await event('connected');
  const session = await relay.sessions.next();
  const first = await session.open('mapping:1001');
  const socket = sockets[0];
  assert.ok(socket !== undefined);
  const reset = once(socket, 'error');
  first.destroy(new Error('visitor'));
  assert.equal(((await reset)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
  const second = await session.open('mapping:1001');
  second.resume();
  const closed = new Promise((resolve) => second.once('close', resolve));
  sockets[1]?.resetAndDestroy();
  await closed;
  assert.notEqual(second.rstCode, 0);
});

test('Agent serves a private mapping to whoever proves the secret, once for each tunnel', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  plane.bindings = [target(await service(t, answerAtEnd), { secret: SECRET })];
  const { event } = start();
  await event('connected');
  const session = await relay.sessions.next();
  const headers = (number: number, proof?: string): Record<string, string> => ({
    [HEADER.tunnel]: tunnelId(number),
    [HEADER.source]: '600000002',
    [HEADER.proof]: proof ?? makeProof(SECRET, 'mapping:1001', '600000002', tunnelId(number)),
  });
  const good = await session.open('mapping:1001', headers(1));
  assert.equal(await text(good.end('x')), 'got x');
  assert.equal(await causeOf(session, 'mapping:1001', headers(1)), 'bad_proof');
  assert.equal(await causeOf(session, 'mapping:1001', headers(2, 'nonsense')), 'bad_proof');
  assert.equal(await causeOf(session, 'mapping:1001'), 'bad_proof');
  const other = { ...headers(3), [HEADER.source]: '600000003' };
  assert.equal(await causeOf(session, 'mapping:1001', other), 'bad_proof');
  // A wrong proof does not use the tunnel id up.
  assert.equal(await text((await session.open('mapping:1001', headers(2))).end('y')), 'got y');
});

test('Agent dials what a SOCKS5 source names, under the allow list', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  const port = await service(t, answerAtEnd);
  plane.bindings = [target(null, { protocol: 'socks5', target_host: null, secret: SECRET })];
  const { event } = start({ allow: { rules: [parseAllowRule(`127.0.0.1:${port}`)], others: 'denied' } });
  await event('connected');
  const session = await relay.sessions.next();
  const headers = (number: number, where: string): Record<string, string> => ({
    [HEADER.tunnel]: tunnelId(number),
    [HEADER.source]: '600000002',
    [HEADER.proof]: makeProof(SECRET, 'mapping:1001', '600000002', tunnelId(number)),
    [HEADER.target]: where,
  });
  const tunnel = await session.open('mapping:1001', headers(1, `127.0.0.1:${port}`));
  assert.equal(await text(tunnel.end('x')), 'got x');
  assert.equal(await causeOf(session, 'mapping:1001', headers(2, '127.0.0.1:1')), 'not_allowed');
  assert.equal(await causeOf(session, 'mapping:1001', headers(3, 'no address')), 'unreachable');
});

test('Agent opens a local port for a private mapping and proves the secret', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  const port = await freePort();
  plane.bindings = [source(port)];
  const { event, agent } = start();
  assert.equal((await event('visiting')).connected, true);
  const local = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  local.end('hello');
  const { stream, bindingId, headers } = await relay.visits.next();
  assert.equal(bindingId, 'mapping:1002');
  const id = String(headers[HEADER.tunnel]);
  assert.match(id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
  assert.equal(headers[HEADER.proof], makeProof(SECRET, 'mapping:1002', '600000001', id));
  acceptTunnel(stream);
  assert.equal(await text(stream), 'hello');
  stream.end('answer');
  assert.equal(await text(local), 'answer');
  assert.deepEqual([agent.traffic.bytesIn, agent.traffic.bytesOut], [5, 6]);
});

test('Agent gets a new ticket when only its visiting connection needs one', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, clock, start } = await setUp(t, [relay]);
  plane.bindings = [source(await freePort())];
  const { greet } = relay;
  relay.greet = (hello, kind) =>
    kind === 'visit' && hello.ticket === plane.sessions.all[0]?.ticket
      ? { type: 'refused', code: 'ticket_expired', message: 'over' }
      : greet(hello, kind);
  const { event } = start();
  await event('session');
  await event('session');
  // The pause before the next try.
  clock.advance(1000);
  assert.equal((await event('visiting')).connected, true);
  assert.ok(relay.sessions.all.filter(({ kind }) => kind === 'serve').length <= 1);
});

test('Agent resets a local connection that cannot be served', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  const port = await freePort();
  plane.bindings = [source(port)];
  const { event } = start();
  await event('visiting');
  const local = connect({ port, host: '127.0.0.1' });
  const failed = once(local, 'error');
  const { stream } = await relay.visits.next();
  refuseTunnel(stream, 'disabled', 'switched off');
  assert.equal(((await failed)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
  assert.equal((await event('tunnel_failed')).cause, 'disabled');
});

test('Agent holds local connections while it looks for another relay, and not for ever', async (t) => {
  const relays = [new FakeRelay('node-001'), new FakeRelay('node-002')] as const;
  const { plane, clock, start } = await setUp(t, [...relays]);
  const port = await freePort();
  plane.bindings = [source(port)];
  const { event, events } = start();
  await event('visiting');
  const [first] = plane.relays;
  assert.ok(first !== undefined);
  relays[0].kill();
  const visiting = await events.next((each) => each.type === 'visiting' && !each.connected);
  assert.ok(visiting !== undefined);
  const waiting = connect({ port, host: '127.0.0.1' });
  await once(waiting, 'connect');
  // The visiting connection was short: the next one comes after a pause.
  clock.advance(1000);
  const { stream } = await relays[1].visits.next();
  acceptTunnel(stream);
  stream.end('late');
  assert.equal(await text(waiting), 'late');
  relays[1].kill();
  await events.next((each) => each.type === 'visiting' && !each.connected);
  const hopeless = connect({ port, host: '127.0.0.1' });
  await once(hopeless, 'connect');
  const failed = once(hopeless, 'error');
  // Not before it is accepted on this side, which nothing tells: the wait begins then.
  const timer = setInterval(() => clock.advance(1000), 5);
  await failed;
  clearInterval(timer);
});

test('Agent seeks its visiting connection as soon as it serves again, whatever its back-off', async (t) => {
  const relay = new FakeRelay('node-001');
  let open = false;
  relay.greet = (_hello, kind) =>
    open || kind === 'serve'
      ? { type: 'welcome', node_id: 'node-001', heartbeat_ms: 15_000, protocol: 1 }
      : { type: 'refused', code: 'unavailable', message: 'later' };
  const { plane, start } = await setUp(t, [relay]);
  plane.bindings = [source(await freePort())];
  const { event } = start();
  await event('connected');
  const serving = await relay.sessions.next(({ kind }) => kind === 'serve');
  await relay.sessions.next(({ kind }) => kind === 'visit');
  open = true;
  // The clock stands still from here on: no back-off ends.
  serving.destroy();
  assert.equal((await event('visiting')).connected, true);
});

test('Agent closes and moves local ports with its configuration', async (t) => {
  const relay = new FakeRelay('node-001');
  const { plane, start } = await setUp(t, [relay]);
  const ports = [await freePort(), await freePort()] as const;
  plane.bindings = [source(ports[0])];
  const { agent, event } = start();
  await event('config');
  plane.version = 2;
  plane.bindings = [source(ports[1])];
  await agent.refreshConfig();
  const old = connect({ port: ports[0], host: '127.0.0.1' });
  assert.equal(((await once(old, 'error'))[0] as NodeJS.ErrnoException).code, 'ECONNREFUSED');
  const fresh = connect({ port: ports[1], host: '127.0.0.1' });
  await once(fresh, 'connect');
  fresh.destroy();
});
