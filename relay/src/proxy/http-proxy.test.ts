import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createHash, randomBytes } from 'node:crypto';
import { Agent, type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http';
import { describe, it } from 'node:test';
import { DirectUpstream, startHttpTarget, startProxy, startRawTarget } from './test-support/proxy-fixture.ts';
import { RawClient, splitAnswers } from './test-support/raw-client.ts';

const GET = (host: string, path = '/', fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`;

interface Answer {
  response: IncomingMessage;
  body: Buffer;
}

async function fetchFrom(port: number, host: string, options: RequestOptions = {}, body?: Buffer): Promise<Answer> {
  const outgoing = httpRequest({ port, host: '127.0.0.1', ...options, headers: { host, ...options.headers } });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { response, body: Buffer.concat(chunks) };
}

describe('HttpProxy', () => {
  it('passes a request to the tunnel of its Host, says who the visitor is, and passes the answer back', async (t) => {
    const target = await startHttpTarget(t, (request, response) => {
      response.setHeader('X-Seen', JSON.stringify(request.headers));
      response.end(`${request.method} ${request.url}`);
    });
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    const { response, body } = await fetchFrom(port, `A.Test:${port}`, {
      path: '/x?y=1',
      headers: { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6', 'x-real-ip': '6.6.6.6', 'x-own': '1' },
    });
    assert.equal(response.statusCode, 200);
    assert.equal(body.toString(), 'GET /x?y=1');
    const seen = JSON.parse(String(response.headers['x-seen'])) as Record<string, string>;
    assert.deepEqual(seen, {
      host: `A.Test:${port}`,
      'x-own': '1',
      via: '1.1 tunnox',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': `A.Test:${port}`,
      forwarded: `for=127.0.0.1;host="A.Test:${port}";proto=http`,
    });
  });

  it('serves 1 000 requests on keep-alive connections with mixed hosts, each by the right target', async (t) => {
    const { port, router, proxy } = await startProxy(t);
    const hosts = ['a.test', 'b.test', 'c.test'];
    for (const host of hosts) {
      const target = await startHttpTarget(t, (request, response) => response.end(`${host} ${request.url}`));
      router.open(host, new DirectUpstream(target), { binding_id: `domain:${1 + hosts.indexOf(host)}` });
    }
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    t.after(() => agent.destroy());
    const requests = Array.from({ length: 1000 }, async (_, index) => {
      const host = hosts[index % 3] as string;
      const { body } = await fetchFrom(port, host, { agent, path: `/${index}` });
      assert.equal(body.toString(), `${host} /${index}`);
    });
    await Promise.all(requests);
    const { connectionsTotal, tunnelsOpened, tunnelsReused, requestsByClass } = proxy.metrics.snapshot();
    assert.equal(connectionsTotal, 8);
    assert.ok(tunnelsOpened <= 24, `${tunnelsOpened} tunnels`);
    assert.equal(tunnelsOpened + tunnelsReused, 1000);
    assert.equal(requestsByClass[2], 1000);
  });

  it('answers pipelined requests in their order, also between hosts and with answers of its own', async (t) => {
    const slow = await startHttpTarget(t, (_request, response) => setImmediate(() => response.end('slow')));
    const fast = await startHttpTarget(t, (_request, response) => response.end('fast'));
    const { port, router } = await startProxy(t);
    router.open('slow.test', new DirectUpstream(slow));
    router.open('fast.test', new DirectUpstream(fast), { binding_id: 'domain:2' });
    const client = await RawClient.connect(port);
    const post = 'POST / HTTP/1.1\r\nHost: slow.test\r\nContent-Length: 5\r\n\r\nhello';
    client.send(
      GET('slow.test') + GET('fast.test') + GET('none.test') + post + GET('fast.test', '/', 'Connection: close\r\n'),
    );
    const answers = splitAnswers(await client.untilEnd());
    assert.deepEqual(
      answers.map(({ head, body }) => (head.startsWith('HTTP/1.1 200') ? body : head.slice(9, 12))),
      ['slow', 'fast', '404', 'slow', 'fast'],
    );
  });

  it('carries 100 MB down and up with equal hashes', async (t) => {
    const piece = randomBytes(1 << 20);
    const hashOf = (count: number): string => {
      const hash = createHash('sha256');
      for (let i = 0; i < count; i++) hash.update(piece);
      return hash.digest('hex');
    };
    const target = await startHttpTarget(t, (request, response) => {
      if (request.method === 'POST') {
        const hash = createHash('sha256');
        request.on('data', (chunk: Buffer) => hash.update(chunk));
        request.on('end', () => response.end(hash.digest('hex')));
        return;
      }
      response.setHeader('Content-Length', 100 << 20);
      let sent = 0;
      const send = (): void => {
        while (sent < 100) {
          sent++;
          if (!response.write(piece)) return void response.once('drain', send);
        }
        response.end();
      };
      send();
    });
    const { port, router } = await startProxy(t);
    const upstream = new DirectUpstream(target);
    router.open('a.test', upstream);
    const down = httpRequest({ port, host: '127.0.0.1', headers: { host: 'a.test' } });
    down.end();
    const [response] = (await once(down, 'response')) as [IncomingMessage];
    const hash = createHash('sha256');
    for await (const chunk of response) hash.update(chunk as Buffer);
    assert.equal(hash.digest('hex'), hashOf(100));

    const up = httpRequest({ port, host: '127.0.0.1', method: 'POST', headers: { host: 'a.test' } });
    for (let i = 0; i < 100; i++) if (!up.write(piece)) await once(up, 'drain');
    up.end();
    const [answer] = (await once(up, 'response')) as [IncomingMessage];
    assert.equal(Buffer.concat(await answer.toArray()).toString(), hashOf(100));
    const moved = upstream.tunnels.reduce((sum, { meter }) => sum + meter.bytesIn + meter.bytesOut, 0);
    assert.ok(moved > 200 << 20, `the meters counted ${moved}`);
  });

  it('passes chunked bodies and their trailers in both directions as they are', async (t) => {
    let seen = '';
    const target = await startRawTarget(t, (socket) =>
      socket.on('data', (chunk: Buffer) => {
        seen += chunk.toString('latin1');
        if (!seen.endsWith('0\r\nX-Sum: 1\r\n\r\n')) return;
        socket.write(
          'HTTP/1.1 200 OK\r\nDate: now\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n2;a=b\r\nok\r\n',
        );
        socket.write('0\r\nX-End: 2\r\nSet-Cookie: no\r\n\r\n');
      }),
    );
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    const client = await RawClient.connect(port);
    client.send('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    client.send('0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n');
    const answer = await client.until((text) => text.endsWith('X-End: 2\r\n\r\n'));
    assert.ok(seen.endsWith('3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n'), seen);
    assert.equal(
      answer,
      'HTTP/1.1 200 OK\r\nDate: now\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n2;a=b\r\nok\r\n0\r\nX-End: 2\r\n\r\n',
    );
    client.socket.destroy();
  });

  it('lets a server-sent event out before the next one is made', async (t) => {
    let second: (() => void) | undefined;
    const target = await startHttpTarget(t, (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      second = () => response.end('data: 2\n\n');
    });
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    const client = await RawClient.connect(port);
    client.send(GET('a.test'));
    await client.until((text) => text.includes('data: 1\n\n'));
    second?.();
    await client.until((text) => text.includes('data: 2\n\n'));
    client.socket.destroy();
  });

  it('passes 100-continue end to end, other interim answers too, but none to HTTP/1.0', async (t) => {
    const target = await startRawTarget(t, (socket) => {
      socket.on('data', (chunk: Buffer) => {
        const text = chunk.toString('latin1');
        if (text.includes('Expect: 100-continue'))
          socket.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n');
        else socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok`);
      });
    });
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    const client = await RawClient.connect(port);
    client.send('POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    const interim = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n';
    assert.equal(await client.until((text) => text.length >= interim.length), interim);
    client.send('hello');
    await client.until((text) => text.endsWith('Content-Length: 2\r\n\r\nok'));
    client.socket.destroy();
    const old = await RawClient.connect(port);
    old.send('GET / HTTP/1.0\r\nHost: a.test\r\n\r\n');
    assert.equal(
      await old.untilEnd(),
      'HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
    );
  });

  it('knows that HEAD, 204 and 304 have no body, and keeps the connection', async (t) => {
    const target = await startHttpTarget(t, (request, response) => {
      if (request.url === '/head') response.setHeader('Content-Length', 1000);
      else response.statusCode = Number(request.url?.slice(1));
      response.end();
    });
    const { port, router, proxy } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    const client = await RawClient.connect(port);
    client.send('HEAD /head HTTP/1.1\r\nHost: a.test\r\n\r\n');
    client.send(GET('a.test', '/204') + GET('a.test', '/304') + GET('a.test', '/200', 'Connection: close\r\n'));
    const received = await client.untilEnd();
    assert.deepEqual(
      [...received.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status),
      ['200', '204', '304', '200'],
    );
    assert.equal(proxy.metrics.tunnelsOpened, 1);
  });

  it('ends an answer without length with the connection, for HTTP/1.1 and HTTP/1.0 targets', async (t) => {
    for (const version of ['1.0', '1.1']) {
      const target = await startRawTarget(t, (socket) =>
        socket.on('data', () => socket.end(`HTTP/${version} 200 OK\r\nDate: now\r\n\r\nuntil the end`)),
      );
      const { port, router } = await startProxy(t);
      router.open('a.test', new DirectUpstream(target));
      const client = await RawClient.connect(port);
      client.send(GET('a.test'));
      const received = await client.untilEnd();
      assert.equal(received, 'HTTP/1.1 200 OK\r\nDate: now\r\nConnection: close\r\n\r\nuntil the end');
      assert.equal(client.error, null);
    }
  });

  it('takes the chunks away for HTTP/1.0, and keeps its connection where a length allows it', async (t) => {
    const target = await startHttpTarget(t, (request, response) => {
      if (request.url === '/length') response.setHeader('Content-Length', 2);
      response.write('o');
      response.end('k');
    });
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    const client = await RawClient.connect(port);
    const old = (path: string): string => `GET ${path} HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n`;
    client.send(old('/length'));
    const first = await client.until((text) => text.endsWith('ok'));
    assert.match(first, /\r\nConnection: keep-alive\r\n/);
    client.send(old('/chunked'));
    const received = (await client.untilEnd()).slice(first.length);
    assert.match(received, /\r\nConnection: close\r\n\r\nok$/);
    assert.doesNotMatch(received, /transfer-encoding/i);
  });

  it('gives the whole answer to a visitor that ends its side after the request', async (t) => {
    let answer: (() => void) | undefined;
    const target = await startHttpTarget(t, (_request, response) => (answer = () => response.end('x'.repeat(200_000))));
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    const client = await RawClient.connect(port);
    const asked = once(client.socket, 'finish');
    client.socket.end(GET('a.test'));
    await asked;
    while (answer === undefined) await new Promise((resolve) => setImmediate(resolve));
    answer();
    const received = await client.untilEnd();
    assert.ok(received.endsWith('x'.repeat(200_000)));
    assert.match(received, /\r\nConnection: close\r\n/);
  });

  it('resets the tunnel when the visitor goes, before the answer and in the middle of it', async (t) => {
    for (const early of [true, false]) {
      const reset = new Promise<void>((resolve) => {
        void startRawTarget(t, (socket) => {
          socket.on('data', () => {
            if (!early) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart');
          });
          socket.on('close', resolve);
        }).then(async (target) => {
          const { port, router } = await startProxy(t);
          const upstream = new DirectUpstream(target);
          router.open('a.test', upstream);
          const client = await RawClient.connect(port);
          client.send(GET('a.test'));
          if (early) while (upstream.tunnels.length === 0) await new Promise((next) => setImmediate(next));
          else await client.until((text) => text.endsWith('part'));
          client.socket.resetAndDestroy();
        });
      });
      await reset;
    }
  });

  it('cuts the visitor off when the target dies in the middle of the answer', async (t) => {
    const heads = { length: 'Content-Length: 1000\r\n', chunks: 'Transfer-Encoding: chunked\r\n', close: '' };
    for (const [name, fields] of Object.entries(heads)) {
      const target = await startRawTarget(t, (socket) =>
        socket.on('data', () => {
          socket.write(`HTTP/1.1 200 OK\r\nDate: now\r\n${fields}\r\n5\r\nparts`, () =>
            setImmediate(() => socket.resetAndDestroy()),
          );
        }),
      );
      const { port, router, proxy } = await startProxy(t);
      router.open('a.test', new DirectUpstream(target));
      const client = await RawClient.connect(port);
      client.send(GET('a.test'));
      await client.untilEnd();
      assert.equal(client.error, 'ECONNRESET', name);
      assert.equal(proxy.metrics.truncated, 1, name);
    }
  });

  it('passes an early answer on while the request is still coming, and the rest of the request too', async (t) => {
    let got = 0;
    const whole = new Promise<void>((resolve) => {
      void startRawTarget(t, (socket) => {
        socket.once('data', () => socket.write('HTTP/1.1 202 Accepted\r\nDate: now\r\nContent-Length: 2\r\n\r\nok'));
        socket.on('data', (chunk: Buffer) => {
          got += chunk.toString('latin1').replace(/^POST[^]*\r\n\r\n/, '').length;
          if (got === 100_000) resolve();
        });
      }).then(async (target) => {
        const { port, router } = await startProxy(t);
        router.open('a.test', new DirectUpstream(target));
        const client = await RawClient.connect(port);
        client.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(10)}`);
        const received = await client.until((text) => text.endsWith('ok'));
        assert.equal(
          received,
          'HTTP/1.1 202 Accepted\r\nDate: now\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
        );
        client.send('x'.repeat(99_990));
        await client.untilEnd();
      });
    });
    await whole;
  });

  it('lets a visitor read an early answer of a target that closes on it', async (t) => {
    const target = await startRawTarget(t, (socket) => {
      socket.once('data', () =>
        socket.end('HTTP/1.1 413 Too Large\r\nDate: now\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno'),
      );
    });
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    const client = await RawClient.connect(port);
    client.send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10000000\r\n\r\n');
    const piece = 'x'.repeat(1 << 16);
    for (let i = 0; i < 50 && !client.ended; i++)
      await new Promise<void>((resolve) => client.socket.write(piece, () => resolve()));
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 413 .*no$/s);
    assert.equal(client.error, null);
  });

  it('replaces Host where the binding says so', async (t) => {
    const target = await startHttpTarget(t, (request, response) =>
      response.end(`${request.headers.host} ${request.headers['x-forwarded-host']}`),
    );
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target), { host_header: 'inner.local:3000' });
    assert.equal((await fetchFrom(port, 'a.test')).body.toString(), 'inner.local:3000 a.test');
    router.open('a.test', new DirectUpstream(target), { host_header: 'bad\r\nX: y', version: 2 });
    assert.equal((await fetchFrom(port, 'a.test')).body.toString(), 'a.test a.test');
  });

  it('believes and continues what a trusted proxy says about the visitor', async (t) => {
    const target = await startHttpTarget(t, (request, response) => response.end(JSON.stringify(request.headers)));
    const { port, router } = await startProxy(t, { trustedPeers: { allows: (address) => address === '127.0.0.1' } });
    const upstream = new DirectUpstream(target);
    router.open('a.test', upstream);
    const headers = {
      'x-forwarded-for': '6.6.6.6, 1.2.3.4, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '443',
      forwarded: 'for=1.2.3.4',
    };
    const seen = JSON.parse((await fetchFrom(port, 'a.test', { headers })).body.toString()) as Record<string, string>;
    assert.equal(seen['x-forwarded-for'], '6.6.6.6, 1.2.3.4, 127.0.0.1, 127.0.0.1');
    assert.equal(seen['x-forwarded-proto'], 'https');
    assert.equal(seen['x-forwarded-port'], '443');
    assert.equal(seen['x-forwarded-host'], 'a.test');
    assert.equal(seen['forwarded'], 'for=1.2.3.4, for=127.0.0.1;host="a.test";proto=http');
    assert.equal(upstream.requests[0]?.visitor, '1.2.3.4:0');
  });
});
