import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { makeUlid } from '@tunnox/domain/ulid';
import { freePort } from '@tunnox/testing/free-port';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { TcpProxy } from '../proxy/tcp-proxy.ts';
import { bindingOf, DirectUpstream, TableRouter } from '../proxy/test-support/proxy-fixture.ts';
import { TunnelRefused } from '../upstream/tunnel-refused.ts';
import { ConnectionGate } from './connection-gate.ts';
import { ListenError } from './listen.ts';
import { TcpListener } from './tcp-listener.ts';

/** A target that handles each connection; resolves to its port. */
async function target(t: TestContext, handle: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    handle(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function bench(t: TestContext) {
  const router = new TableRouter();
  const proxy = new TcpProxy({ router, newTunnelId: () => makeUlid(1, new Uint8Array(16)) });
  const clock = new FakeClock();
  const gate = new ConnectionGate(clock, { waitingMax: 4, waitingPerAddressMax: 4 });
  const port = await freePort();
  const listener = new TcpListener(
    { proxy, gate },
    { host: '127.0.0.1', group: 'default', ports: { from: port, to: port } },
  );
  await listener.start();
  await listener.start();
  t.after(() => {
    listener.stop();
    proxy.stop();
  });
  return { router, proxy, clock, port, listener, endpoint: `tcp:default:${port}` };
}

function visit(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  return socket;
}

function ends(socket: Socket): Promise<string> {
  socket.resume();
  // A visitor that ends too, as most do when the other side has.
  socket.on('end', () => socket.end());
  return new Promise((resolve) => socket.on('close', (hadError) => resolve(hadError ? 'reset' : 'ended')));
}

test('TcpProxy joins a visitor with its tunnel, keeps half-close, and counts both directions', async (t) => {
  const { router, proxy, port, endpoint } = await bench(t);
  const upstream = new DirectUpstream(
    await target(t, (socket) => {
      void buffer(socket).then((all) => socket.end(`got ${all.length}`));
    }),
  );
  router.open(endpoint, upstream);
  const visitor = visit(port);
  visitor.end(Buffer.alloc(1_000_000));
  assert.equal(await text(visitor), 'got 1000000');
  await proxy.drain(new AbortController().signal);
  assert.deepEqual(upstream.tunnels[0]?.meter, { bytesIn: 1_000_000, bytesOut: 11 });
  assert.match(upstream.requests[0]?.visitor ?? '', /^127\.0\.0\.1:\d+$/);
  assert.deepEqual(proxy.snapshot(), { connectionsTotal: 1, connectionsActive: 0, refused: {} });
});

test('TcpProxy looks closed without a mapping, and ends politely while the agent is away', async (t) => {
  const { router, proxy, port, endpoint } = await bench(t);
  assert.equal(await ends(visit(port)), 'reset');
  router.table.set(endpoint, { kind: 'offline', binding: bindingOf(endpoint) });
  assert.equal(await ends(visit(port)), 'ended');
  router.table.set(endpoint, async () => ({ kind: 'unavailable' }));
  assert.equal(await ends(visit(port)), 'ended');
  assert.deepEqual(proxy.snapshot().refused, { unknown: 1, offline: 1, unavailable: 1 });
});

test('TcpProxy fails over, and decides once more when it was wrong', async (t) => {
  const { router, proxy, port, endpoint } = await bench(t);
  const good = new DirectUpstream(await target(t, (socket) => socket.end('hello')));
  const full = new DirectUpstream(1, 'full');
  full.before = () => {
    throw new TunnelRefused('busy', 'full');
  };
  router.table.set(endpoint, { kind: 'open', binding: bindingOf(endpoint), upstreams: [full, good] });
  const first = visit(port);
  assert.equal(await text(first), 'hello');
  first.destroy();
  const moved = new DirectUpstream(1, 'moved');
  moved.before = () => {
    router.open(endpoint, good);
    throw new TunnelRefused('not_here', 'moved');
  };
  router.open(endpoint, moved);
  const second = visit(port);
  assert.equal(await text(second), 'hello');
  second.destroy();
  assert.deepEqual(
    router.forgotten.map(([, upstream]) => upstream.key),
    ['moved'],
  );
  const denied = new DirectUpstream(1, 'denied');
  denied.before = () => {
    throw new TunnelRefused('denied', 'no');
  };
  router.open(endpoint, denied);
  assert.equal(await ends(visit(port)), 'reset');
  assert.deepEqual(proxy.snapshot().refused, { denied: 1 });
});

test('TcpProxy gives up an opening when the visitor leaves or the time is over, and bounds who waits', async (t) => {
  const { router, proxy, port, endpoint, clock } = await bench(t);
  let openings = 0;
  let aborted = 0;
  const waiters: (() => void)[] = [];
  const wake = (): void => {
    for (const waiter of waiters.splice(0)) waiter();
  };
  const until = async (ready: () => boolean): Promise<void> => {
    while (!ready()) await new Promise<void>((resolve) => waiters.push(resolve));
  };
  const slow = new DirectUpstream(1, 'slow');
  slow.before = (_request, signal) => {
    openings++;
    wake();
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        aborted++;
        wake();
        reject(signal.reason as Error);
      });
    });
  };
  router.open(endpoint, slow);
  const leaving = visit(port);
  await until(() => openings === 1);
  leaving.resetAndDestroy();
  await until(() => aborted === 1);
  const waiting = Array.from({ length: 6 }, () => ends(visit(port)));
  await until(() => openings === 7 && aborted === 3);
  clock.advance(31_000);
  await until(() => aborted === 7);
  await Promise.all(waiting);
  assert.equal(proxy.snapshot().connectionsActive, 0);
});

test('TcpListener says what to do about a port that is taken', async (t) => {
  const { port, proxy, clock } = await bench(t);
  const gate = new ConnectionGate(clock, { waitingMax: 1, waitingPerAddressMax: 1 });
  const second = new TcpListener(
    { proxy, gate },
    { host: '127.0.0.1', group: 'default', ports: { from: port, to: port } },
  );
  await assert.rejects(
    second.start(),
    (error) => error instanceof ListenError && /another program uses this port/.test(error.message),
  );
});
