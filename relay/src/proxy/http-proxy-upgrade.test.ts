import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { DirectUpstream, startProxy, startRawTarget } from './test-support/proxy-fixture.ts';
import { RawClient } from './test-support/raw-client.ts';

const upgradeTo = (protocol: string): string =>
  `GET / HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n';

describe('HttpProxy upgrades', () => {
  it('carries WebSocket messages both ways, up to 1 MB, and closes cleanly', async (t) => {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { port, router, proxy } = await startProxy(t);
    router.open('a.test', new DirectUpstream((server.address() as AddressInfo).port));
    const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, { headers: { host: 'a.test' } });
    await once(socket, 'open');
    assert.equal(proxy.metrics.upgradesActive, 1);
    for (const message of [Buffer.from('hello'), Buffer.alloc(1 << 20, 7)]) {
      const answered = once(socket, 'message') as Promise<[Buffer]>;
      socket.send(message);
      assert.deepEqual((await answered)[0], message);
    }
    const closed = once(socket, 'close');
    socket.close(4001, 'bye');
    assert.deepEqual((await closed)[0], 4001);
    while (proxy.metrics.upgradesActive > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(proxy.metrics.connectionsActive, 0);
  });

  it('loses no byte that is sent together with the heads, and passes half-closes', async (t) => {
    let seen = '';
    const target = await startRawTarget(t, (socket) => {
      socket.on('data', (chunk: Buffer) => {
        if (seen === '') socket.write(`${SWITCH}early`);
        seen += chunk.toString('latin1');
      });
      socket.on('end', () => socket.end('last'));
    });
    const { port, router } = await startProxy(t);
    const upstream = new DirectUpstream(target);
    router.open('a.test', upstream);
    const client = await RawClient.connect(port);
    client.send(`${upgradeTo('echo')}first`);
    await client.until((text) => text.endsWith('early'));
    client.socket.end('second');
    const received = await client.untilEnd();
    assert.equal(received, 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nearlylast');
    assert.ok(seen.endsWith('firstsecond'), seen);
    assert.match(seen, /\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n/);
    const [tunnel] = upstream.tunnels;
    assert.deepEqual(tunnel?.meter, { bytesIn: seen.length, bytesOut: `${SWITCH}earlylast`.length });
  });

  it('goes on with HTTP when the target does not change the protocol', async (t) => {
    const target = await startRawTarget(t, (socket) =>
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok')),
    );
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    const client = await RawClient.connect(port);
    client.send(upgradeTo('echo'));
    await client.until((text) => text.endsWith('ok'));
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
    assert.equal((await client.untilEnd()).match(/HTTP\/1\.1 200/g)?.length, 2);
  });

  it('does not pass an upgrade to h2c on', async (t) => {
    let seen = '';
    const target = await startRawTarget(t, (socket) =>
      socket.on('data', (chunk: Buffer) => {
        seen += chunk.toString('latin1');
        socket.write('HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 0\r\n\r\n');
      }),
    );
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    const client = await RawClient.connect(port);
    client.send(upgradeTo('h2c').replace('\r\n\r\n', '\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n'));
    await client.until((text) => text.endsWith('\r\n\r\n'));
    assert.doesNotMatch(seen, /upgrade|settings/i);
    client.socket.destroy();
  });
});
