import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import type { Binding } from '@tunnox/domain/binding';
import { SERVE_PREAMBLE } from '@tunnox/protocol/names';
import { acceptTunnel } from '@tunnox/streams/answer-tunnel';
import { FakeAgent, helloOf, type OnTunnel } from './support/fake-agent.ts';
import { FakeControlPlane } from './support/fake-control-plane.ts';
import { relayEnvironment, type RelayProcess, startRelay } from './support/relay-process.ts';

const CLIENT = 600_000_001;

function binding(change: Partial<Binding> = {}): Binding {
  return {
    binding_id: 'domain:1',
    version: 1,
    endpoint: 'foo.example.com',
    protocol: 'http',
    enabled: true,
    user_id: null,
    source_client_id: null,
    upstreams: [{ client_id: CLIENT, weight: 1, priority: 0 }],
    host_header: null,
    warning_page: false,
    access: { allow: [], deny: [] },
    ...change,
  };
}

/** A target that answers each request of a tunnel with `hello`. */
const hello: OnTunnel = (stream) => {
  if (!acceptTunnel(stream)) return;
  stream.on('error', () => {});
  stream.on('data', () => stream.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'));
  stream.on('end', () => stream.end());
};

async function controlPlane(t: TestContext): Promise<FakeControlPlane> {
  const plane = new FakeControlPlane();
  await plane.start();
  t.after(() => plane.stop());
  return plane;
}

async function start(
  t: TestContext,
  plane: FakeControlPlane,
  change: Record<string, string> = {},
): Promise<RelayProcess> {
  const { ports, env } = await relayEnvironment(t, plane.url);
  const relay = startRelay(t, ports, { ...env, ...change });
  await relay.ready;
  return relay;
}

async function agent(t: TestContext, plane: FakeControlPlane, relay: RelayProcess, connectSeq = 1): Promise<FakeAgent> {
  const socket = connect(relay.ports.agent, '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(SERVE_PREAMBLE);
  const ticket = await plane.ticket(CLIENT);
  const one = new FakeAgent(socket, helloOf({ ticket, connect_seq: connectSeq }), hello);
  await one.until('welcome');
  return one;
}

async function visit(relay: RelayProcess, host = 'foo.example.com', path = '/', port = relay.ports.http) {
  const asked = request({ host: '127.0.0.1', port, path, headers: { host }, agent: false });
  const answered = once(asked, 'response');
  asked.end();
  const [response] = await answered;
  return { status: Number(response.statusCode), body: await text(response) };
}

/** A counter or gauge of the relay, by its name and labels. */
async function metric(relay: RelayProcess, name: string): Promise<number> {
  const { body } = await visit(relay, '127.0.0.1', '/metrics', relay.ports.metrics);
  const line = body.split('\n').find((one) => one.startsWith(`${name} `));
  assert.ok(line, name);
  return Number(line.slice(name.length));
}

test('relay process: registers, serves a name through its agent, counts, and drains on SIGTERM', async (t) => {
  const plane = await controlPlane(t);
  plane.publish(CLIENT, binding());
  plane.publish(CLIENT, binding({ binding_id: 'mapping:7', protocol: 'tcp', endpoint: 'tcp:default:1' }));
  const relay = await start(t, plane);
  assert.equal((await relay.ready).node_id, 'node-001');
  assert.equal((await visit(relay, '127.0.0.1', '/readyz', relay.ports.metrics)).status, 200);
  assert.equal((await visit(relay)).status, 503);
  const served = await agent(t, plane, relay);
  assert.deepEqual(await visit(relay), { status: 200, body: 'hello' });
  assert.equal((await visit(relay, 'unknown.example.com')).status, 404);
  served.send({ type: 'config_applied', version: 1, problems: [] });
  await plane.logged('config_applied');

  relay.process.kill('SIGTERM');
  await served.until('drain');
  await plane.logged('leaving');
  assert.equal((await relay.ended).code, 0);
  assert.deepEqual(
    plane.log.filter((line) => /^(register|session|attach|draining|leaving)/.test(line)),
    ['register', 'session 0', `attach ${CLIENT}/1`, 'draining', 'leaving'],
  );
  const [entry] = plane.usage.flatMap(({ entries }) => entries);
  assert.deepEqual([entry?.binding_id, entry?.client_id, entry?.connections], ['domain:1', CLIENT, 1]);
  assert.ok((entry?.bytes_in ?? 0) > 0 && (entry?.bytes_out ?? 0) > 0);
  assert.deepEqual(
    plane.connections.map(
      ({ tunnel_id: _tunnelId, started_at: _startedAt, duration_ms: _durationMs, ...line }) => line,
    ),
    [
      {
        ...{ binding_id: 'domain:1', client_id: CLIENT, user_id: null, visitor: '127.0.0.1', close_reason: 'closed' },
        ...{ bytes_in: entry?.bytes_in, bytes_out: entry?.bytes_out },
      },
    ],
  );
});

test('relay process: a public TCP port is joined with its mapping', async (t) => {
  const plane = await controlPlane(t);
  const { ports, env } = await relayEnvironment(t, plane.url);
  const endpoint = `tcp:default:${ports.tcp}`;
  plane.publish(CLIENT, binding({ binding_id: 'mapping:7', protocol: 'tcp', endpoint }));
  const relay = startRelay(t, ports, env);
  await relay.ready;
  await agent(t, plane, relay);
  const visitor = connect(ports.tcp, '127.0.0.1');
  visitor.end('anything');
  assert.equal(await text(visitor), 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
});

test('relay process: serves known names and good tickets without the control plane, and catches up when it is back', async (t) => {
  const plane = await controlPlane(t);
  plane.publish(CLIENT, binding());
  const relay = await start(t, plane);
  const first = await agent(t, plane, relay);
  assert.equal((await visit(relay)).body, 'hello');
  await plane.stop();
  assert.equal((await visit(relay)).body, 'hello');
  first.session.destroy();
  await first.gone;
  await agent(t, plane, relay, 2);
  assert.equal((await visit(relay)).body, 'hello');
  assert.equal((await visit(relay, 'new.example.com')).status, 503);
  assert.equal(await metric(relay, 'tunnox_control_plane_session_up'), 0);
  assert.equal(await metric(relay, 'tunnox_control_plane_pending_clients'), 1);

  plane.publish(CLIENT, binding({ binding_id: 'domain:2', endpoint: 'new.example.com' }));
  await plane.start();
  await plane.logged(`attach ${CLIENT}/2`);
  await plane.logged('session 0', 2);
  assert.equal((await visit(relay, 'new.example.com')).body, 'hello');
  // The detach of the first connection was overtaken by the attach of the second.
  assert.equal(plane.log.includes(`detach ${CLIENT}/1`), false);
});

test('relay process: does what the control plane pushes, once, and announces after a resync', async (t) => {
  const plane = await controlPlane(t);
  plane.publish(CLIENT, binding());
  const relay = await start(t, plane);
  const served = await agent(t, plane, relay);
  assert.equal((await visit(relay)).body, 'hello');
  plane.publish(CLIENT, binding({ version: 2, access: { allow: [], deny: ['127.0.0.0/8'] } }));
  const policy = plane.policies.get(CLIENT);
  assert.ok(policy);
  plane.push({ type: 'policy', policy });
  await plane.logged('ack 1');
  assert.equal((await visit(relay)).status, 403);
  plane.resync();
  await plane.logged(`announce ${CLIENT}/1`);
  const order = { client_id: CLIENT, instance_id: null, connect_seq: null, message: 'off' };
  plane.push({ type: 'close_client', ...order, code: 'disabled' });
  await served.until('disabled');
  await served.gone;
  await plane.logged('ack 2');
  // Nobody is told what the control plane itself has ordered.
  assert.equal(
    plane.log.some((line) => line.startsWith('detach')),
    false,
  );
});

test('relay process: ends with code 3 when another process has its node, and when it is not taken at all', async (t) => {
  const plane = await controlPlane(t);
  const relay = await start(t, plane);
  const { ports, env } = await relayEnvironment(t, plane.url);
  const twin = startRelay(t, ports, { ...env, TUNNOX_STATE_DIR: relay.env['TUNNOX_STATE_DIR'] ?? '' });
  await twin.ready;
  plane.push({ type: 'superseded' });
  const { code, output } = await twin.ended;
  assert.equal(code, 3);
  assert.match(output, /Another process has registered with the key in TUNNOX_STATE_DIR/);

  plane.joinToken = 'tnx_join_other';
  const stranger = await relayEnvironment(t, plane.url);
  const refused = await startRelay(t, stranger.ports, stranger.env).ended;
  assert.equal(refused.code, 3);
  assert.match(refused.output, /The join token is unknown.*TUNNOX_JOIN_TOKEN/);
});

test('relay process: what it counted before another process took its node is reported by the next one', async (t) => {
  const plane = await controlPlane(t);
  plane.publish(CLIENT, binding());
  const relay = await start(t, plane);
  await agent(t, plane, relay);
  await visit(relay);
  plane.push({ type: 'superseded' });
  assert.equal((await relay.ended).code, 3);
  const { ports, env } = await relayEnvironment(t, plane.url);
  startRelay(t, ports, { ...env, TUNNOX_STATE_DIR: relay.env['TUNNOX_STATE_DIR'] ?? '' });
  await plane.logged('usage');
  const entries = plane.usage.flatMap((report) => report.entries);
  assert.equal(
    entries.reduce((all, { connections }) => all + connections, 0),
    1,
  );
});

test('relay process: ends with code 2 and says what to do when it cannot use what it was given', async (t) => {
  const plane = await controlPlane(t);
  const { ports, env } = await relayEnvironment(t, plane.url);
  const taken = createServer().listen(ports.http, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const file = join(env.TUNNOX_STATE_DIR, 'file');
  await writeFile(file, '');
  const cases: [change: Record<string, string>, message: RegExp][] = [
    [{}, new RegExp(`Cannot listen on 127.0.0.1:${ports.http}: another program uses this port`)],
    [
      { TUNNOX_AGENT_TCP_PORT: String(ports.http), TUNNOX_HTTP_PORT: env.TUNNOX_AGENT_TCP_PORT },
      new RegExp(`Cannot listen on 127.0.0.1:${ports.http}: another program uses this port`),
    ],
    [{ TUNNOX_HTTP_PROT: '80' }, /TUNNOX_HTTP_PROT is not known: did you mean TUNNOX_HTTP_PORT\?/],
    [{ TUNNOX_STATE_DIR: join(file, 'state') }, /ENOTDIR/],
    [{ TUNNOX_TLS_CERT_FILE: file, TUNNOX_TLS_KEY_FILE: file }, /Cannot use the certificate/],
  ];
  for (const [change, message] of cases) {
    const { code, output } = await startRelay(t, ports, { ...env, ...change }).ended;
    assert.deepEqual([code, message.test(output)], [2, true], output);
  }
});

test('relay process: a second signal ends it at once, and so it ends when its parent is gone', async (t) => {
  const plane = await controlPlane(t);
  plane.publish(CLIENT, binding());
  const relay = await start(t, plane, { TUNNOX_DRAIN_SECONDS: '600' });
  const served = await agent(t, plane, relay);
  relay.process.kill('SIGINT');
  await served.until('drain');
  relay.process.kill('SIGINT');
  assert.equal((await relay.ended).code, 1);

  const orphan = await start(t, plane);
  orphan.process.disconnect();
  assert.equal((await orphan.ended).code, 0);
});

test('relay process: waits for a control plane that is away at the start', async (t) => {
  const plane = await controlPlane(t);
  await plane.stop();
  const { ports, env } = await relayEnvironment(t, plane.url);
  const relay = startRelay(t, ports, env);
  const healthy = async (): Promise<boolean> => {
    const answer = await visit(relay, 'localhost', '/readyz', ports.metrics).catch(() => null);
    return answer?.status === 503 && answer.body.includes('registering');
  };
  while (!(await healthy())) await new Promise((resolve) => setImmediate(resolve));
  await plane.start();
  assert.equal((await relay.ready).node_id, 'node-001');
});
