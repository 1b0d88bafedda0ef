import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectSession, createServer as createSessionServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { acceptTunnel } from '@tunnox/streams/answer-tunnel';
import { join } from '@tunnox/streams/join';
import { openTunnelStream } from '@tunnox/streams/open-tunnel-stream';
import type { Tunnel, TunnelRequest, Upstream } from '../upstream/upstream.ts';
import { startHttpTarget, startProxy, startRawTarget } from './test-support/proxy-fixture.ts';
import { RawClient, splitAnswers } from './test-support/raw-client.ts';

/** An upstream whose tunnels are HTTP/2 streams to an agent that joins them with a target, as real ones are. */
async function startTunnels(t: TestContext, targetPort: number): Promise<Upstream & { streams: Duplex[] }> {
  const targets: Socket[] = [];
  const streams: Duplex[] = [];
  const agent = createSessionServer();
  agent.on('stream', (stream: ServerHttp2Stream) => {
    const target = connect({ port: targetPort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }, () => {
      if (acceptTunnel(stream)) join(stream, target);
    });
    targets.push(target);
  });
  agent.listen(0, '127.0.0.1');
  await once(agent, 'listening');
  const session = connectSession(`http://127.0.0.1:${(agent.address() as AddressInfo).port}`);
  t.after(() => {
    session.destroy();
    agent.close();
    for (const target of targets) target.destroy();
  });
  return {
    kind: 'local',
    key: 'session',
    streams,
    get closed() {
      return session.closed;
    },
    open: async (request: TunnelRequest, signal: AbortSignal): Promise<Tunnel> => {
      const stream = await openTunnelStream(session, request.binding.binding_id, {}, signal);
      streams.push(stream);
      return { stream, meter: { bytesIn: 0, bytesOut: 0 } };
    },
  };
}

describe('HttpProxy over HTTP/2 tunnels', () => {
  it('reuses a tunnel for requests with bodies in both directions', async (t) => {
    const target = await startHttpTarget(t, (request, response) => {
      response.setHeader('Content-Length', request.headers['content-length'] ?? 0);
      request.pipe(response);
    });
    const { port, router, proxy } = await startProxy(t);
    router.open('a.test', await startTunnels(t, target));
    const client = await RawClient.connect(port);
    const sizes = [0, 1, 70_000, 3, 2_000_000];
    for (const [index, size] of sizes.entries()) {
      client.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`);
      await client.until(
        (text) => splitAnswers(text).filter(({ head, body }) => body.length === lengthOf(head)).length === index + 1,
      );
      // An answer that begins before the request has ended is the last one of its connection.
      if (size === 2_000_000) break;
    }
    assert.deepEqual(
      splitAnswers(client.received).map(({ body }) => body.length),
      sizes,
    );
    assert.equal(proxy.metrics.tunnelsOpened, 1);
    client.socket.destroy();
  });

  it('resets the target when the visitor goes, and cuts the visitor off when the target dies', async (t) => {
    for (const whoGoes of ['visitor', 'target']) {
      const sockets: Socket[] = [];
      const port = await startRawTarget(t, (socket) => {
        sockets.push(socket);
        socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nDate: now\r\n\r\npart'));
      });
      const { port: proxyPort, router } = await startProxy(t);
      router.open('a.test', await startTunnels(t, port));
      const client = await RawClient.connect(proxyPort);
      client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
      await client.until((text) => text.endsWith('part'));
      const [target] = sockets;
      if (whoGoes === 'visitor') {
        const failed = once(target as Socket, 'error') as Promise<[NodeJS.ErrnoException]>;
        client.socket.resetAndDestroy();
        assert.equal((await failed)[0].code, 'ECONNRESET');
      } else {
        target?.resetAndDestroy();
        await client.untilEnd();
        assert.equal(client.error, 'ECONNRESET');
      }
    }
  });

  it('drops an idle tunnel whose target has closed', async (t) => {
    const sockets: Socket[] = [];
    const target = await startRawTarget(t, (socket) => {
      sockets.push(socket);
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok'));
    });
    const { port, router, proxy } = await startProxy(t);
    const tunnels = await startTunnels(t, target);
    router.open('a.test', tunnels);
    const client = await RawClient.connect(port);
    const request = 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n';
    client.send(request);
    await client.until((text) => splitAnswers(text).length === 1);
    const closed = once(tunnels.streams[0] as Duplex, 'close');
    sockets[0]?.end();
    await closed;
    client.send(request);
    await client.until((text) => splitAnswers(text).length === 2);
    assert.equal(proxy.metrics.tunnelsOpened, 2);
    assert.equal(proxy.metrics.requestsByClass[2], 2);
    client.socket.destroy();
  });
});

function lengthOf(head: string): number {
  return Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
}
