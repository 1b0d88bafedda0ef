import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { DevelopmentCa } from '@tunnox/certificates/development-ca';
import { AllowList } from './allow-list.ts';
import { type Lookup, systemLookup } from './cached-lookup.ts';
import { parseAllowRule } from './allow-rule.ts';
import { TargetError } from './target-error.ts';
import { TargetDialer } from './target-dialer.ts';

const everything = new AllowList([], 'allowed');
const never = new AbortController().signal;
let folder: string;
let tlsFiles: { key: string; cert: string };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tunnox-dial-'));
  const ca = await DevelopmentCa.loadOrCreate(folder);
  const files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  await ca.ensureServerCertificate(files, ['localhost']);
  tlsFiles = { key: await readFile(files.keyFile, 'utf8'), cert: await readFile(files.certFile, 'utf8') };
});
after(() => rm(folder, { recursive: true }));

async function listen(t: TestContext, server: Server, host: string): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function dialer(lookup: Lookup = systemLookup, options = {}, allowList = everything): TargetDialer {
  return new TargetDialer({ allowList, lookup }, options);
}

async function causeOf(dialling: Promise<unknown>): Promise<string> {
  const error: unknown = await dialling.then(
    () => assert.fail('must not connect'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TargetError, String(error));
  return error.tunnelCause;
}

/** Answers when the peer has ended its side: shows that both directions are closed one by one. */
const answerAtEnd = () =>
  createServer({ allowHalfOpen: true }, (socket) => {
    let got = '';
    socket.on('data', (chunk) => (got += chunk)).on('end', () => socket.end(`got ${got}`));
  });

test('TargetDialer.dial() gives a socket that half-closes', async (t) => {
  const port = await listen(t, answerAtEnd(), '127.0.0.1');
  const socket = await dialer().dial({ scheme: 'tcp', host: '127.0.0.1', port }, never);
  socket.end('hello');
  const [answer] = await once(socket, 'data');
  assert.equal(String(answer), 'got hello');
  await once(socket, 'close');
});

for (const host of ['127.0.0.1', '::1']) {
  test(`TargetDialer.dial() finds a service on localhost that listens at ${host} only`, async (t) => {
    const port = await listen(t, answerAtEnd(), host);
    const socket = await dialer((_name, callback) =>
      callback(null, [
        { address: '::1', family: 6 },
        { address: '127.0.0.1', family: 4 },
      ]),
    ).dial({ scheme: 'tcp', host: 'localhost', port }, never);
    assert.equal(socket.remoteAddress, host);
    socket.destroy();
  });
}

test('TargetDialer.dial() reports that nothing listens as refused', async (t) => {
  const server = createServer();
  const port = await listen(t, server, '127.0.0.1');
  server.close();
  await once(server, 'close');
  const both: Lookup = (_name, callback) =>
    callback(null, [
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ]);
  assert.equal(await causeOf(dialer().dial({ scheme: 'tcp', host: '127.0.0.1', port }, never)), 'refused');
  assert.equal(await causeOf(dialer(both).dial({ scheme: 'tcp', host: 'localhost', port }, never)), 'refused');
});

test('TargetDialer.dial() reports a name without an address as dns', async () => {
  const lookup: Lookup = (_name, callback) =>
    callback(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), []);
  assert.equal(await causeOf(dialer(lookup).dial({ scheme: 'tcp', host: 'db.internal', port: 1 }, never)), 'dns');
});

test('TargetDialer.dial() reports silence as timeout', async () => {
  const silent = dialer(() => {}, { dialTimeoutMs: 5 });
  assert.equal(await causeOf(silent.dial({ scheme: 'tcp', host: 'db.internal', port: 1 }, never)), 'timeout');
});

test('TargetDialer.dial() stops when the visitor leaves', async () => {
  const leaving = new AbortController();
  const dialling = dialer(() => leaving.abort()).dial({ scheme: 'tcp', host: 'db.internal', port: 1 }, leaving.signal);
  assert.equal(await causeOf(dialling), 'lost');
  assert.equal(await causeOf(dialer().dial({ scheme: 'tcp', host: '127.0.0.1', port: 1 }, leaving.signal)), 'lost');
});

test('TargetDialer.dial() dials no address that the allow list forbids, by number or by name', async (t) => {
  const port = await listen(t, answerAtEnd(), '127.0.0.1');
  const list = new AllowList([parseAllowRule('127.0.0.2')], 'denied');
  const lookup: Lookup = (_name, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]);
  const byNumber = dialer(undefined, {}, list).dial({ scheme: 'tcp', host: '127.0.0.1', port }, never);
  assert.equal(await causeOf(byNumber), 'not_allowed');
  assert.equal(await causeOf(dialer(lookup, {}, list).dial({ scheme: 'tcp', host: 'x', port }, never)), 'not_allowed');
});

test('TargetDialer.dial() skips forbidden addresses of a name and dials the others', async (t) => {
  const port = await listen(t, answerAtEnd(), '127.0.0.1');
  const lookup: Lookup = (_name, callback) =>
    callback(null, [
      { address: '169.254.169.254', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ]);
  const socket = await dialer(lookup).dial({ scheme: 'tcp', host: 'rebound.example', port }, never);
  assert.equal(socket.remoteAddress, '127.0.0.1');
  socket.destroy();
});

test('TargetDialer.dial() speaks TLS with https targets, half-open, without checking those on loopback', async (t) => {
  const server = createTlsServer({ ...tlsFiles, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.resume().on('end', () => socket.end(`sni ${String(socket.servername)}`));
  });
  const port = await listen(t, server, '127.0.0.1');
  const socket = await dialer((_name, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }])).dial(
    { scheme: 'https', host: 'shop.example', port },
    never,
  );
  socket.end('x');
  const [answer] = await once(socket, 'data');
  assert.equal(String(answer), 'sni shop.example');
  await once(socket, 'close');
});

test('TargetDialer.dial() reports a target without TLS as tls', async (t) => {
  const server = createServer((socket) => void socket.on('error', () => {}).end('SSH-2.0\r\n'));
  const port = await listen(t, server, '127.0.0.1');
  assert.equal(await causeOf(dialer().dial({ scheme: 'https', host: '127.0.0.1', port }, never)), 'tls');
});

test('TargetDialer.dial() reports a target that hangs up within the TLS handshake as tls', async (t) => {
  const port = await listen(
    t,
    createServer((socket) => socket.destroy()),
    '127.0.0.1',
  );
  assert.equal(await causeOf(dialer().dial({ scheme: 'https', host: '127.0.0.1', port }, never)), 'tls');
});
