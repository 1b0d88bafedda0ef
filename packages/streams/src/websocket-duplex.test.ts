import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { socketPair } from '@tunnox/testing/socket-pair';
import { WebSocketServer } from 'ws';
import { acceptTunnel } from './answer-tunnel.ts';
import { connectSession } from './connect-session.ts';
import { connectWebSocket } from './connect-websocket.ts';
import { openTunnelStream } from './open-tunnel-stream.ts';
import { routeStreams } from './route-streams.ts';
import { serveSession } from './serve-session.ts';
import { WebSocketDuplex } from './websocket-duplex.ts';

async function listen(t: TestContext) {
  const http = createServer((_request, response) => response.writeHead(404).end());
  const server = new WebSocketServer({ server: http, path: '/serve', perMessageDeflate: false });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.after(() => {
    for (const client of server.clients) client.terminate();
    http.closeAllConnections();
    http.close();
  });
  const address = http.address();
  assert.ok(typeof address === 'object' && address !== null);
  const dialled = async (): Promise<Socket> => {
    const socket = connect(address.port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  };
  return { server, dialled };
}

async function pair(t: TestContext): Promise<{ near: WebSocketDuplex; far: WebSocketDuplex }> {
  const { server, dialled } = await listen(t);
  const far = new Promise<WebSocketDuplex>((resolve) => {
    server.once('connection', (socket) => resolve(new WebSocketDuplex(socket)));
  });
  const near = await connectWebSocket(await dialled(), { path: '/serve', host: 'relay', timeoutMs: 5000 });
  return { near, far: await far };
}

test('WebSocketDuplex carries an HTTP/2 session with bulk and many tunnels', async (t) => {
  const { near, far } = await pair(t);
  const agent = serveSession(near);
  const relay = connectSession(far);
  t.after(() => {
    agent.destroy();
    relay.destroy();
  });
  const body = randomBytes(10_000_000);
  routeStreams(agent, {
    tunnel: (stream) => {
      acceptTunnel(stream);
      stream.resume();
      stream.end(body);
    },
  });
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      const stream = await openTunnelStream(relay, 'mapping:1', {}, new AbortController().signal);
      assert.equal(digest(Buffer.concat(await stream.toArray())), digest(body));
    }),
  );
  assert.ok(far.bytesRead > 40_000_000);
});

test('WebSocketDuplex stops a writer whose bytes are not read', async (t) => {
  const { near, far } = await pair(t);
  const chunk = Buffer.alloc(256 * 1024);
  let written = 0;
  while (near.write(chunk)) written += chunk.length;
  const drained = once(near, 'drain');
  assert.ok(written < 4 * 1024 * 1024);
  far.resume();
  await drained;
  near.destroy();
});

test('WebSocketDuplex closes both sides when one is destroyed or ends', async (t) => {
  for (const close of ['destroy', 'end'] as const) {
    const { near, far } = await pair(t);
    far.resume();
    near.resume();
    const closed = Promise.all([once(far, 'close'), once(near, 'close')]);
    near[close]();
    await closed;
  }
});

test('WebSocketDuplex does not accept text', async (t) => {
  const { server, dialled } = await listen(t);
  server.once('connection', (socket) => socket.send('text'));
  const near = await connectWebSocket(await dialled(), { path: '/serve', host: 'relay', timeoutMs: 5000 });
  if (!near.closed) await once(near.resume(), 'close');
  assert.match(near.errored?.message ?? '', /text message/);
});

test('connectWebSocket() rejects when it is not upgraded, in time, or wanted', async (t) => {
  const { dialled } = await listen(t);
  const options = { path: '/other', host: 'relay', timeoutMs: 5000 };
  await assert.rejects(connectWebSocket(await dialled(), options), /400|404/);
  const aborter = new AbortController();
  const connecting = connectWebSocket(await dialled(), { ...options, path: '/serve', signal: aborter.signal });
  aborter.abort(new Error('enough'));
  await assert.rejects(connecting, /enough/);
  const { client, server } = await socketPair(false);
  t.after(() => server.destroy());
  await assert.rejects(connectWebSocket(client, { ...options, timeoutMs: 20 }), /timed out/);
});

test('WebSocketDuplex sends no message that is longer than it says, however much is written at once', async (t) => {
  const { server, dialled } = await listen(t);
  const sizes: number[] = [];
  const received = new Promise<void>((resolve) => {
    server.once('connection', (socket) => {
      let left = 1_300_000;
      socket.on('message', (data: Buffer) => {
        sizes.push(data.length);
        left -= data.length;
        if (left === 0) resolve();
      });
    });
  });
  const near = await connectWebSocket(await dialled(), { path: '/serve', host: 'relay', timeoutMs: 5000 });
  t.after(() => near.destroy());
  near.write(Buffer.alloc(1_000_000));
  near.cork();
  near.write(Buffer.alloc(1));
  near.write(Buffer.alloc(299_999));
  near.uncork();
  await received;
  assert.ok(Math.max(...sizes) <= 64 * 1024, `a message of ${Math.max(...sizes)} bytes was sent`);
});
