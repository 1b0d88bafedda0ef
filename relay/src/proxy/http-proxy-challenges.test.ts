import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { DirectUpstream, startHttpTarget, startProxy } from './test-support/proxy-fixture.ts';

const TOKEN = 'aTokenOfAnAuthority';
const PATH = `/.well-known/acme-challenge/${TOKEN}`;

/** A proxy that knows one token of one name, and a target behind another one that answers with what it was asked for. */
async function bench(t: TestContext, find?: (token: string, host: string) => Promise<string | null>) {
  const asked: string[] = [];
  const target = await startHttpTarget(t, (request, response) =>
    response.end(`target: ${request.method} ${request.url}`),
  );
  const fixture = await startProxy(t, {
    challenges: {
      find: async (token, host) => {
        asked.push(`${host} ${token}`);
        if (find !== undefined) return await find(token, host);
        return host === 'shop.test' && token === TOKEN ? `${TOKEN}.thumbprint` : null;
      },
    },
  });
  fixture.router.open('shop.test', new DirectUpstream(target));
  return { ...fixture, asked };
}

async function say(port: number, request: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  socket.write(request);
  return await text(socket);
}

const request = (path: string, host = 'shop.test', method = 'GET', more = 'Connection: close\r\n') =>
  `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;

test('HttpProxy answers an authority itself, also where nothing is attached', async (t) => {
  const { port, asked } = await bench(t, async () => `${TOKEN}.thumbprint`);
  for (const host of ['Shop.Test:80', 'nobody.test']) {
    const answer = await say(port, request(PATH, host));
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    assert.ok(answer.endsWith(`\r\n\r\n${TOKEN}.thumbprint`));
    assert.match(answer, /\r\nContent-Type: text\/plain\r\n/);
  }
  assert.deepEqual(asked, [`shop.test ${TOKEN}`, `nobody.test ${TOKEN}`]);
  const head = await say(port, request(PATH, 'shop.test', 'HEAD'));
  assert.ok(head.startsWith('HTTP/1.1 200 OK') && head.endsWith('\r\n\r\n'));
});

test('HttpProxy passes on tokens that it does not know, and asks about nothing else', async (t) => {
  const { port, asked } = await bench(t);
  const other = '/.well-known/acme-challenge/aTokenBehindTheTunnel';
  assert.ok((await say(port, request(other))).endsWith(`target: GET ${other}`));
  assert.equal(asked.length, 1);
  const paths = ['/', '/.well-known/acme-challenge/', `${PATH}?x=1`, `${PATH}/x`, '/.well-known/acme-challenge/a.b'];
  for (const path of paths) assert.ok((await say(port, request(path))).endsWith(`target: GET ${path}`), path);
  const post = await say(
    port,
    request(PATH, 'shop.test', 'POST', 'Content-Length: 1\r\nConnection: close\r\n').concat('x'),
  );
  assert.ok(post.endsWith(`target: POST ${PATH}`));
  assert.equal(asked.length, 1);
});

test('HttpProxy keeps the order of requests on one connection', async (t) => {
  const { port } = await bench(t);
  const answers = await say(port, request(PATH, 'shop.test', 'GET', '') + request('/second'));
  assert.ok(answers.indexOf('.thumbprint') < answers.indexOf('target: GET /second'));
});

test('HttpProxy forgets an authority that does not wait for its answer', async (t) => {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const { port, proxy } = await bench(t, () => promise);
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  socket.write(request(PATH));
  socket.resetAndDestroy();
  while (proxy.metrics.connectionsTotal === 0 || proxy.metrics.connectionsActive > 0) await new Promise(setImmediate);
  resolve(null);
  await new Promise(setImmediate);
  assert.ok((await say(port, request('/'))).endsWith('target: GET /'));
});
