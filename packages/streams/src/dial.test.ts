import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createSecureContext, createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls';
import { loadOrCreateNodeIdentity, type NodeIdentity } from '@tunnox/certificates/node-identity';
import { dial, DialError } from './dial.ts';
import { certificateFingerprint } from './spki-fingerprint.ts';

async function identity(t: TestContext): Promise<NodeIdentity> {
  const folder = await mkdtemp(join(tmpdir(), 'tunnox-dial-'));
  t.after(() => rm(folder, { recursive: true }));
  return loadOrCreateNodeIdentity(folder);
}

async function tlsServer(t: TestContext, { privateKeyPem, certificatePem }: NodeIdentity, alpn: string[]) {
  const server = createTlsServer({
    key: privateKeyPem,
    cert: certificatePem,
    ALPNProtocols: alpn,
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.on('secureConnection', (socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { server, address: addressOf(server) };
}

function addressOf(server: Pick<Server, 'address'>): { host: string; port: number } {
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { host: '127.0.0.1', port: address.port };
}

const failsWith = (code: string) => (error: unknown) => error instanceof DialError && error.code === code;

test('dial() gives a TLS socket to the node with the pinned key and shows its own key', async (t) => {
  const [node, own] = [await identity(t), await identity(t)];
  const { server, address } = await tlsServer(t, node, ['tunnox-serve', 'h2']);
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const secureContext = createSecureContext({ key: own.privateKeyPem, cert: own.certificatePem });
  const tls = { fingerprint: node.fingerprint, alpn: 'h2', secureContext };
  const socket = await dial(address, { timeoutMs: 5000, tls });
  const [peer] = await accepted;
  assert.equal(peer.alpnProtocol, 'h2');
  assert.equal(certificateFingerprint(peer.getPeerX509Certificate()?.raw ?? ''), own.fingerprint);
  socket.end('hello');
  assert.equal(String(Buffer.concat(await peer.toArray())), 'hello');
});

test('dial() refuses a node with another key', async (t) => {
  const [node, other] = [await identity(t), await identity(t)];
  const { address } = await tlsServer(t, other, ['h2']);
  await assert.rejects(
    dial(address, { timeoutMs: 5000, tls: { fingerprint: node.fingerprint, alpn: 'h2' } }),
    failsWith('wrong_key'),
  );
});

test('dial() refuses a node that does not speak the protocol', async (t) => {
  const node = await identity(t);
  const { address } = await tlsServer(t, node, []);
  const tls = { fingerprint: node.fingerprint, alpn: 'tunnox-serve' };
  await assert.rejects(dial(address, { timeoutMs: 5000, tls }), failsWith('wrong_protocol'));
  const strict = await tlsServer(t, node, ['http/1.1']);
  await assert.rejects(dial(strict.address, { timeoutMs: 5000, tls }), failsWith('unreachable'));
});

test('dial() ends in time when the other side says nothing, closes, or is not there', async (t) => {
  const silent = createServer((socket) => t.after(() => socket.destroy()));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const tls = { fingerprint: '', alpn: 'h2' };
  await assert.rejects(dial(addressOf(silent), { timeoutMs: 20, tls }), failsWith('timeout'));

  const closing = createServer((socket) => socket.destroy());
  closing.listen(0, '127.0.0.1');
  await once(closing, 'listening');
  const address = addressOf(closing);
  await assert.rejects(dial(address, { timeoutMs: 5000, tls }), failsWith('unreachable'));
  closing.close();
  await once(closing, 'close');
  await assert.rejects(dial(address, { timeoutMs: 5000 }), failsWith('unreachable'));
});

test('dial() throws the reason of its signal', async (t) => {
  const silent = createServer((socket) => t.after(() => socket.destroy()));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const aborter = new AbortController();
  const tls = { fingerprint: '', alpn: 'h2' };
  const dialling = dial(addressOf(silent), { timeoutMs: 5000, tls, signal: aborter.signal });
  aborter.abort(new Error('enough'));
  await assert.rejects(dialling, /enough/);
  await assert.rejects(dial(addressOf(silent), { timeoutMs: 5000, signal: aborter.signal }), /enough/);
});
