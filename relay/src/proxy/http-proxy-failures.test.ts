import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Cause } from '@tunnox/protocol/causes';
import { TunnelRefused } from '../upstream/tunnel-refused.ts';
import {
  bindingOf,
  DirectUpstream,
  startHttpTarget,
  startProxy,
  startRawTarget,
} from './test-support/proxy-fixture.ts';
import { RawClient, splitAnswers } from './test-support/raw-client.ts';

const GET = (host: string, fields = ''): string => `GET / HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`;
const LAST = 'Connection: close\r\n';

async function ask(port: number, text: string): Promise<string> {
  const client = await RawClient.connect(port);
  client.send(text);
  const received = await client.untilEnd();
  assert.equal(client.error, null);
  return received;
}

const refusing = (cause: Cause): DirectUpstream => {
  const upstream = new DirectUpstream(1, cause);
  upstream.before = () => {
    throw new TunnelRefused(cause, 'test');
  };
  return upstream;
};

describe('HttpProxy answers of its own', () => {
  it('say 404 for unknown and illegal names, 403 for switched off, 503 with Retry-After for offline and unavailable', async (t) => {
    const { port, router } = await startProxy(t);
    router.table.set('off.test', { kind: 'offline', binding: bindingOf('off.test') });
    router.table.set('suspended.test', {
      kind: 'offline',
      binding: { ...bindingOf('suspended.test'), enabled: false },
    });
    router.table.set('away.test', { kind: 'unavailable' });
    router.table.set('failing.test', () => Promise.reject(new Error('test')));
    router.open('disabled.test', refusing('disabled'));
    router.open('tcp.test', new DirectUpstream(1), { protocol: 'tcp' });
    const expected: [string, number, string][] = [
      ['none.test', 404, 'not_found'],
      ['-bad-.test', 404, 'not_found'],
      ['[::1]', 404, 'not_found'],
      ['a..test', 404, 'not_found'],
      ['tcp.test', 404, 'not_found'],
      ['disabled.test', 403, 'disabled'],
      ['suspended.test', 403, 'disabled'],
      ['off.test', 503, 'offline'],
      ['away.test', 503, 'unavailable'],
      ['failing.test', 503, 'unavailable'],
    ];
    for (const [host, status, code] of expected) {
      const answer = await ask(port, GET(host, LAST));
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), host);
      assert.match(answer, new RegExp(`\r\nTunnox-Error: ${code}\r\n`), host);
      assert.equal(/\r\nRetry-After: \d+\r\n/.test(answer), status === 503, host);
    }
  });

  it('come as page, problem document or text, as Accept asks, and to HEAD without body', async (t) => {
    const { port, router } = await startProxy(t);
    router.table.set('off.test', { kind: 'offline', binding: bindingOf('off.test') });
    const page = await ask(port, GET('off.test', `Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n${LAST}`));
    assert.match(
      page,
      /\r\nContent-Type: text\/html; charset=utf-8\r\n[^]*<h1>The tunnel is offline<\/h1>[^]*<li class="bad">Agent/,
    );
    assert.match(page, /\r\nContent-Security-Policy: default-src 'none'/);
    const problem = await ask(port, GET('off.test', `Accept: application/json\r\n${LAST}`));
    const document = JSON.parse(problem.slice(problem.indexOf('\r\n\r\n'))) as Record<string, unknown>;
    assert.match(problem, /\r\nContent-Type: application\/problem\+json\r\n/);
    assert.deepEqual({ status: document['status'], code: document['code'] }, { status: 503, code: 'offline' });
    for (const accept of ['Accept: */*\r\n', '', 'Accept: text/html;q=0.1, text/plain\r\n']) {
      assert.match(await ask(port, GET('off.test', accept + LAST)), /\r\nContent-Type: text\/plain; charset=utf-8\r\n/);
    }
    const bodyless = await ask(port, `HEAD / HTTP/1.1\r\nHost: off.test\r\n${LAST}\r\n`);
    assert.match(bodyless, /\r\nContent-Length: [1-9]\d+\r\n[^]*\r\n\r\n$/);
  });

  it('do not let a host name put markup into a page', async (t) => {
    const { port } = await startProxy(t);
    const page = await ask(port, GET(`a&'()*;=x.test`, `Accept: text/html\r\n${LAST}`));
    assert.match(page, /a&#38;&#39;\(\)/);
  });

  it('keep the connection after a request without body, and end it where a body may still come', async (t) => {
    const { port } = await startProxy(t);
    const answers = splitAnswers(await ask(port, GET('none.test') + GET('none.test', LAST)));
    assert.equal(answers.length, 2);
    const posted = await ask(port, 'POST / HTTP/1.1\r\nHost: none.test\r\nContent-Length: 5\r\n\r\nhel');
    assert.match(posted, /^HTTP\/1\.1 404 [^]*\r\nConnection: close\r\n/);
  });

  it('refuse what cannot be read with 400, and nothing after it is served', async (t) => {
    const target = await startHttpTarget(t, (_request, response) => response.end('no'));
    const { port, router } = await startProxy(t);
    const upstream = new DirectUpstream(target);
    router.open('a.test', upstream);
    const smuggled = GET('a.test');
    const bad = [
      `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled}`,
      `GET / HTTP/1.1\nHost: a.test\n\n${smuggled}`,
      `GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n${smuggled}`,
      `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n`,
    ];
    for (const text of bad) {
      const answer = await ask(port, text);
      assert.match(answer, /^HTTP\/1\.1 400 [^]*\r\nConnection: close\r\n/);
      assert.equal(answer.match(/HTTP\/1\.1 \d/g)?.length, 1);
    }
    assert.match(await ask(port, `GET / HTTP/1.1\r\nX: ${'a'.repeat(40_000)}`), /^HTTP\/1\.1 431 /);
    assert.match(await ask(port, GET('a.test', 'Expect: much\r\n')), /^HTTP\/1\.1 417 /);
    assert.match(await ask(port, 'GET / HTTP/3.0\r\nHost: a.test\r\n\r\n'), /^HTTP\/1\.1 400 /);
    assert.equal(upstream.requests.length, 0);
  });

  it('refuse a bad chunk with 400, and reset the tunnel so that the target does not take what came for a whole', async (t) => {
    let seen = '';
    const reset = new Promise<void>((resolve) => {
      void startRawTarget(t, (socket) => {
        socket.on('data', (chunk: Buffer) => (seen += chunk.toString('latin1')));
        socket.on('close', resolve);
      }).then(async (target) => {
        const { port, router } = await startProxy(t);
        router.open('a.test', new DirectUpstream(target));
        const client = await RawClient.connect(port);
        client.send('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
        while (!seen.endsWith('abc\r\n')) await new Promise((next) => setImmediate(next));
        client.send('3\r\nabcd\r\n0\r\n\r\n');
        assert.match(await client.untilEnd(), /^HTTP\/1\.1 400 /);
      });
    });
    await reset;
    assert.ok(seen.endsWith('3\r\nabc\r\n'));
  });

  it('refuse CONNECT and TRACE with 405, and a request that runs in a circle with 508', async (t) => {
    const target = await startHttpTarget(t, (request, response) => response.end(request.headers.via));
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    assert.match(
      await ask(port, `CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n${LAST}\r\n`),
      /^HTTP\/1\.1 405 [^]*\r\nAllow: GET, /,
    );
    assert.match(await ask(port, `TRACE / HTTP/1.1\r\nHost: a.test\r\n${LAST}\r\n`), /^HTTP\/1\.1 405 /);
    const hops = (count: number): string => `Via: 1.0 other, ${Array(count).fill('1.1 tunnox').join(', ')}\r\n`;
    assert.match(await ask(port, GET('a.test', hops(4) + LAST)), /^HTTP\/1\.1 200 [^]*1\.0 other, 1\.1 tunnox/);
    assert.match(await ask(port, GET('a.test', hops(5) + LAST)), /^HTTP\/1\.1 508 /);
  });

  it('tell causes of refused tunnels apart', async (t) => {
    const { port, router } = await startProxy(t);
    const statuses: [Cause, number][] = [
      ['refused', 502],
      ['timeout', 504],
      ['dns', 502],
      ['denied', 403],
      ['connection_limit', 429],
      ['traffic_limit', 429],
      ['busy', 503],
      ['lost', 502],
      ['unknown_binding', 503],
    ];
    for (const [cause, status] of statuses) {
      router.open('a.test', refusing(cause));
      const answer = await ask(port, GET('a.test', LAST));
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\nTunnox-Error: ${cause}\r\n`));
    }
    router.open('a.test', refusing('refused'));
    assert.match(await ask(port, GET('a.test', LAST)), /The tunnel works, but nothing answers at the target/);
  });

  it('say 502 when the target answers with something that is not HTTP, or not at all', async (t) => {
    const { port, router } = await startProxy(t);
    const answersOf: [string, string][] = [
      ['SSH-2.0-OpenSSH_9.2\r\n', 'bad_answer'],
      ['HTTP/1.1 200 OK\nX: y\n\n', 'bad_answer'],
      ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', 'bad_answer'],
      ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 'bad_answer'],
      ['', 'no_answer'],
      ['HTTP/1.1 200 OK\r\nX-A: b', 'no_answer'],
    ];
    for (const [text, code] of answersOf) {
      const target = await startRawTarget(t, (socket) => socket.once('data', () => socket.end(text)));
      router.open('a.test', new DirectUpstream(target));
      const answer = await ask(port, GET('a.test', LAST));
      assert.match(answer, new RegExp(`^HTTP/1\\.1 502 [^]*\r\nTunnox-Error: ${code}\r\n`), text);
    }
  });
});

describe('HttpProxy fail-over', () => {
  it('goes on to the next upstream when one gives no tunnel, but not after a verdict', async (t) => {
    const target = await startHttpTarget(t, (_request, response) => response.end('served'));
    const { port, router } = await startProxy(t);
    const binding = bindingOf('a.test');
    for (const [cause, served] of [
      ['refused', true],
      ['busy', true],
      ['lost', true],
      ['denied', false],
    ] as const) {
      router.table.set('a.test', { kind: 'open', binding, upstreams: [refusing(cause), new DirectUpstream(target)] });
      assert.equal((await ask(port, GET('a.test', LAST))).endsWith('served'), served, cause);
    }
  });

  it('forgets an upstream that is not here or knows a newer binding, and asks the router again, once', async (t) => {
    const target = await startHttpTarget(t, (_request, response) => response.end('served'));
    const { port, router } = await startProxy(t);
    for (const cause of ['not_here', 'stale_binding', 'lost'] as const) {
      const stale = refusing(cause);
      const fresh = new DirectUpstream(target, `fresh ${cause}`);
      const open = (upstream: DirectUpstream) => ({
        kind: 'open' as const,
        binding: bindingOf('a.test'),
        upstreams: [upstream] as [DirectUpstream],
      });
      router.table.set('a.test', () =>
        router.forgotten.some(([, upstream]) => upstream === stale) ? open(fresh) : open(stale),
      );
      assert.match(await ask(port, GET('a.test', LAST)), /served$/, cause);
      assert.equal(stale.requests.length, 1);
      router.table.set('a.test', () => open(stale));
      assert.match(await ask(port, GET('a.test', LAST)), /^HTTP\/1\.1 50[23] /, cause);
      assert.equal(stale.requests.length, 3);
    }
  });

  it('skips upstreams that are closed, and says what the router says when there is no other', async (t) => {
    const { port, router } = await startProxy(t);
    const gone = new DirectUpstream(1);
    gone.closed = true;
    const binding = bindingOf('a.test');
    router.table.set('a.test', () =>
      router.forgotten.length === 0 ? { kind: 'open', binding, upstreams: [gone] } : { kind: 'offline', binding },
    );
    assert.match(await ask(port, GET('a.test', LAST)), /^HTTP\/1\.1 503 [^]*\r\nTunnox-Error: offline\r\n/);
    assert.equal(gone.requests.length, 0);
  });

  it('repeats a bodyless idempotent request when a reused tunnel dies without an answer, and no other', async (t) => {
    const served: string[] = [];
    // Answers the first request of a connection, and dies of the second.
    const target = await startRawTarget(t, (socket) => {
      socket.once('data', (first: Buffer) => {
        served.push(first.toString().split(' ')[0] ?? '');
        socket.write('HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok');
        socket.once('data', () => socket.destroy());
      });
    });
    for (const [request, status] of [
      ['GET / HTTP/1.1\r\nHost: a.test\r\n\r\n', '200'],
      ['DELETE / HTTP/1.1\r\nHost: a.test\r\n\r\n', '200'],
      ['POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n', '502'],
      ['PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx', '502'],
    ] as const) {
      const { port, router, proxy } = await startProxy(t);
      const upstream = new DirectUpstream(target);
      router.open('a.test', upstream);
      const client = await RawClient.connect(port);
      client.send(GET('a.test'));
      await client.until((text) => text.endsWith('ok'));
      client.send(request);
      const both = await client.until((text) => splitAnswers(text).length === 2);
      assert.equal(splitAnswers(both)[1]?.head.slice(9, 12), status, request);
      assert.equal(proxy.metrics.replays, status === '200' ? 1 : 0);
      client.socket.destroy();
    }
    // A fresh tunnel that dies is nobody's keep-alive race.
    const dying = await startRawTarget(t, (socket) => socket.once('data', () => socket.destroy()));
    const { port, router } = await startProxy(t);
    const upstream = new DirectUpstream(dying);
    router.open('a.test', upstream);
    assert.match(await ask(port, GET('a.test', LAST)), /^HTTP\/1\.1 502 /);
    assert.equal(upstream.requests.length, 1);
  });
});

describe('HttpProxy reuse of tunnels', () => {
  it('does not reuse a tunnel after an unclean answer, nor one that speaks unasked', async (t) => {
    const unclean = [
      'HTTP/1.1 200 OK\r\nDate: now\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
      'HTTP/1.0 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok',
      'HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
    ];
    for (const text of unclean) {
      const target = await startRawTarget(t, (socket) => socket.on('data', () => socket.write(text)));
      const { port, router } = await startProxy(t);
      const upstream = new DirectUpstream(target);
      router.open('a.test', upstream);
      const client = await RawClient.connect(port);
      client.send(GET('a.test'));
      await client.until((received) => splitAnswers(received).length === 1);
      client.send(GET('a.test', LAST));
      const bodies = splitAnswers(await client.untilEnd()).map(({ body }) => body);
      assert.deepEqual(bodies, ['ok', 'ok']);
      assert.equal(upstream.tunnels.length, 2);
    }
  });

  it('gives a tunnel only to visitors of the same address where access rules name addresses', async (t) => {
    const target = await startHttpTarget(t, (_request, response) => response.end('ok'));
    const trusted = { allows: (address: string) => address === '127.0.0.1' };
    const { port, router } = await startProxy(t, { trustedPeers: trusted });
    const upstream = new DirectUpstream(target);
    const from = (address: string): string => GET('a.test', `X-Forwarded-For: ${address}\r\n`);
    const visit = async (addresses: string[]): Promise<number> => {
      const before = upstream.requests.length;
      const client = await RawClient.connect(port);
      for (const [index, address] of addresses.entries()) {
        client.send(from(address));
        await client.until((received) => splitAnswers(received).length === index + 1);
      }
      client.socket.destroy();
      return upstream.requests.length - before;
    };
    router.open('a.test', upstream, { access: { allow: [], deny: ['6.6.6.6/32'] } });
    assert.equal(await visit(['1.1.1.1', '6.6.6.6', '1.1.1.1']), 2);
    router.open('a.test', upstream, { version: 2 });
    assert.equal(await visit(['1.1.1.1', '6.6.6.6', '1.1.1.1']), 1);
  });

  it('ends a tunnel whose target goes on talking after its last answer', async (t) => {
    const talker = Promise.withResolvers<void>();
    const target = await startRawTarget(t, (socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
        const talk = setInterval(() => socket.write('more'), 20);
        socket.once('close', () => {
          clearInterval(talk);
          talker.resolve();
        });
      });
    });
    const { port, router } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    assert.match(await ask(port, GET('a.test', LAST)), /ok$/);
    await talker.promise;
  });

  it('gives up an idle tunnel of a mapping that has all its connections', async (t) => {
    const target = await startHttpTarget(t, (_request, response) => response.end('ok'));
    const trusted = { allows: (address: string) => address === '127.0.0.1' };
    const { port, router } = await startProxy(t, { trustedPeers: trusted });
    const upstream = new DirectUpstream(target);
    upstream.before = () => {
      const open = upstream.tunnels.filter(({ stream }) => !stream.closed).length;
      if (open >= 1) throw new TunnelRefused('connection_limit', 'test');
    };
    router.open('a.test', upstream, { access: { allow: [], deny: ['6.6.6.6/32'] } });
    for (const address of ['1.1.1.1', '2.2.2.2']) {
      assert.match(await ask(port, GET('a.test', `X-Forwarded-For: ${address}\r\n${LAST}`)), /^HTTP\/1.1 200 /);
    }
    assert.equal(upstream.requests.length, 3);
  });
});
