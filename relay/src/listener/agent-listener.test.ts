import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { ALPN_SERVE, ALPN_VISIT, SERVE_PREAMBLE, WS_PATH_SERVE, WS_PATH_VISIT } from '@tunnox/protocol/names';
import { connectSession } from '@tunnox/streams/connect-session';
import { connectWebSocket } from '@tunnox/streams/connect-websocket';
import { dial } from '@tunnox/streams/dial';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { eventually } from '../../tests/support/eventually.ts';
import { CLIENT_ID, FakeAgent, helloOf } from '../../tests/support/fake-agent.ts';
import { nodeKeys } from '../../tests/support/node-keys.ts';
import { sessionRig } from '../../tests/support/session-rig.ts';
import type { AgentAcceptor } from './agent-acceptor.ts';
import { AgentTcpListener } from './agent-tcp-listener.ts';
import { AgentWebSocketListener } from './agent-websocket-listener.ts';
import { ConnectionGate } from './connection-gate.ts';

async function rig(t: TestContext, limits = { waitingMax: 1000, waitingPerAddressMax: 1000 }) {
  const clock = new FakeClock();
  const gate = new ConnectionGate(clock, limits);
  const { server, registry } = sessionRig(t);
  const visits: { address: string; socket: Duplex }[] = [];
  const visiting: AgentAcceptor = {
    accept: (socket, { address }) => {
      visits.push({ address, socket });
      socket.resume();
    },
  };
  const { fingerprint, secureContext } = await nodeKeys(t);
  const options = { host: '127.0.0.1', port: 0, secureContext, insecureAgents: false };
  const tcp = new AgentTcpListener({ serving: server, visiting, gate }, options);
  const ws = new AgentWebSocketListener({ serving: server, visiting, gate }, options);
  const [tcpPort, wsPort] = [await tcp.start(), await ws.start()];
  const sockets: Duplex[] = [];
  t.after(() => {
    tcp.stop();
    tcp.stop();
    ws.stop();
    gate.close();
    for (const socket of sockets) socket.destroy();
    for (const { socket } of visits) socket.destroy();
  });
  const keep = <T extends Duplex>(socket: T): T => {
    sockets.push(socket);
    return socket;
  };
  const plain = async (port: number): Promise<Socket> => {
    const socket = keep(connect({ port, host: '127.0.0.1' }));
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  const secure = async (port: number, alpn: string): Promise<Socket> => {
    const tls = { fingerprint, alpn };
    return keep(await dial({ host: '127.0.0.1', port }, { timeoutMs: 5000, tls }));
  };
  return { clock, gate, registry, visits, tcpPort, wsPort, plain, secure };
}

/** Other than `once()`, does not mind a reset. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.resume().once('close', () => resolve()));
}

async function serves(agentSocket: Duplex, registry: ReturnType<typeof sessionRig>['registry']): Promise<void> {
  const agent = new FakeAgent(agentSocket, helloOf());
  await agent.until('welcome');
  const stream = await registry.get(CLIENT_ID)?.openTunnel('mapping:1001', {}, new AbortController().signal);
  stream?.end('hello');
  assert.equal(String(Buffer.concat((await stream?.toArray()) ?? [])), 'hello');
}

test('AgentTcpListener takes a serving agent over TLS', async (t) => {
  const { secure, tcpPort, registry, gate } = await rig(t);
  await serves(await secure(tcpPort, ALPN_SERVE), registry);
  assert.equal(gate.snapshot().waiting, 0);
});

test('AgentTcpListener takes a serving agent of this machine without TLS, however its first bytes are cut', async (t) => {
  const { plain, tcpPort, registry } = await rig(t);
  const socket = await plain(tcpPort);
  for (const byte of Buffer.from(SERVE_PREAMBLE.slice(0, -2))) socket.write(Buffer.of(byte));
  // The end of the preamble and the beginning of HTTP/2 in one piece.
  socket.cork();
  socket.write('\r\n');
  process.nextTick(() => socket.uncork());
  await serves(socket, registry);
});

test('AgentTcpListener takes visiting agents by ALPN and by the HTTP/2 preface', async (t) => {
  const { plain, secure, tcpPort, visits, gate } = await rig(t);
  const sessions = [connectSession(await secure(tcpPort, ALPN_VISIT)), connectSession(await plain(tcpPort))];
  t.after(() => {
    for (const session of sessions) session.destroy();
  });
  await eventually(() => visits.length === 2);
  assert.match(visits[0]?.address ?? '', /^127\.0\.0\.1:\d+$/);
  // They have not shown a ticket yet.
  assert.equal(gate.snapshot().waiting, 2);
});

test('AgentTcpListener drops garbage and unknown protocols', async (t) => {
  const { plain, secure, tcpPort, gate } = await rig(t);
  for (const bytes of [
    'GET / HTTP/1.1\r\n\r\n',
    '\x16\x03\x01\x00\x05hello',
    '\0'.repeat(100_000),
    'TUNNOX-SERVE/2\r\n',
  ]) {
    const socket = await plain(tcpPort);
    const closed = closeOf(socket);
    socket.write(bytes);
    await closed;
  }
  await assert.rejects(secure(tcpPort, 'http/1.1'));
  await eventually(() => gate.snapshot().waiting === 0);
});

test('AgentTcpListener frees connections that say nothing after five seconds', async (t) => {
  const { plain, tcpPort, wsPort, gate, clock } = await rig(t);
  const silent = [await plain(tcpPort), await plain(tcpPort), await plain(wsPort)];
  silent[1]?.write('TUNNOX');
  const closed = Promise.all(silent.map(closeOf));
  await eventually(() => gate.snapshot().waiting === 3);
  clock.advance(6000);
  await closed;
  assert.deepEqual(gate.snapshot(), { waiting: 0, timedOut: 3, pushedOut: 0 });
});

test('an agent gets in while strangers fill every place', async (t) => {
  const { plain, secure, tcpPort, registry, gate } = await rig(t, { waitingMax: 20, waitingPerAddressMax: 10 });
  for (let count = 0; count < 30; count++) (await plain(tcpPort)).resume();
  await eventually(() => gate.snapshot().pushedOut >= 20);
  await serves(await secure(tcpPort, ALPN_SERVE), registry);
  assert.ok(gate.snapshot().waiting <= 10);
});

test('AgentWebSocketListener takes serving agents with and without TLS', async (t) => {
  for (const transport of ['secure', 'plain'] as const) {
    const { wsPort, registry, gate, ...dialled } = await rig(t);
    const socket = await dialled[transport](wsPort, 'http/1.1');
    const options = { path: WS_PATH_SERVE, host: `127.0.0.1:${wsPort}`, timeoutMs: 5000 };
    await serves(await connectWebSocket(socket, options), registry);
    assert.equal(gate.snapshot().waiting, 0);
  }
});

test('AgentWebSocketListener takes visiting agents by the path', async (t) => {
  const { plain, wsPort, visits } = await rig(t);
  const options = { path: WS_PATH_VISIT, host: 'relay', timeoutMs: 5000 };
  const socket = await connectWebSocket(await plain(wsPort), options);
  t.after(() => socket.destroy());
  await eventually(() => visits.length === 1);
});

test('AgentWebSocketListener answers everything else and closes', async (t) => {
  const { plain, wsPort, gate } = await rig(t);
  const upgrade =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
  for (const [request, status] of [
    ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 404],
    ['GET /serve HTTP/1.1\r\nHost: x\r\n\r\n', 426],
    [`GET /other HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`, 404],
    ['rubbish\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ] as const) {
    const socket = await plain(wsPort);
    socket.write(request);
    const answer = String(Buffer.concat(await socket.toArray()));
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), request);
  }
  await eventually(() => gate.snapshot().waiting === 0);
});
