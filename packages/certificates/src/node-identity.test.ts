import assert from 'node:assert/strict';
import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { loadOrCreateNodeIdentity } from './node-identity.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunnox-identity-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test('loadOrCreateNodeIdentity() gives the same identity again', async () => {
  const first = await loadOrCreateNodeIdentity(join(dir, 'state'));
  const second = await loadOrCreateNodeIdentity(join(dir, 'state'));
  assert.deepEqual(second, first);
});

test('loadOrCreateNodeIdentity() keeps its files to their owner and leaves no other', async () => {
  await loadOrCreateNodeIdentity(dir);
  assert.deepEqual((await readdir(dir)).toSorted(), ['node-cert.pem', 'node-key.pem']);
  for (const name of await readdir(dir)) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600);
});

test('loadOrCreateNodeIdentity() gives one identity to processes that start at once', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateNodeIdentity(dir)));
  assert.equal(new Set(all.map(({ fingerprint }) => fingerprint)).size, 1);
});

test('loadOrCreateNodeIdentity() fingerprint is the SHA-256 of the SubjectPublicKeyInfo', async () => {
  const identity = await loadOrCreateNodeIdentity(dir);
  const spki = new X509Certificate(identity.certificatePem).publicKey.export({ type: 'spki', format: 'der' });
  assert.equal(identity.fingerprint, createHash('sha256').update(spki).digest('hex'));
  const fromJwk = createPublicKey({ key: identity.publicJwk, format: 'jwk' }).export({ type: 'spki', format: 'der' });
  assert.deepEqual(fromJwk, spki);
});

test('loadOrCreateNodeIdentity() refuses a damaged key instead of making another node', async () => {
  await loadOrCreateNodeIdentity(dir);
  await writeFile(join(dir, 'node-key.pem'), 'garbage');
  await assert.rejects(loadOrCreateNodeIdentity(dir), /Cannot read the private key '.*node-key\.pem'/);
  assert.equal(await readFile(join(dir, 'node-key.pem'), 'utf8'), 'garbage');
});

test('loadOrCreateNodeIdentity() signs a lost or damaged certificate again with the same key', async () => {
  const first = await loadOrCreateNodeIdentity(dir);
  await rm(join(dir, 'node-cert.pem'));
  assert.equal((await loadOrCreateNodeIdentity(dir)).fingerprint, first.fingerprint);
  await writeFile(join(dir, 'node-cert.pem'), 'garbage');
  const third = await loadOrCreateNodeIdentity(dir);
  assert.equal(new X509Certificate(third.certificatePem).subject, 'CN=tunnox relay');
});

test('loadOrCreateNodeIdentity() fails with the path when the folder cannot be made', async () => {
  await writeFile(join(dir, 'taken'), '');
  await assert.rejects(loadOrCreateNodeIdentity(join(dir, 'taken')), /taken/);
});

test('loadOrCreateNodeIdentity() certificates serve both ends of a mutual TLS connection', async () => {
  const a = await loadOrCreateNodeIdentity(join(dir, 'a'));
  const b = await loadOrCreateNodeIdentity(join(dir, 'b'));
  const server = createServer({
    key: a.privateKeyPem,
    cert: a.certificatePem,
    ca: [b.certificatePem],
    requestCert: true,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const socket = connect({
    port: address.port,
    host: '127.0.0.1',
    servername: 'tunnox-relay',
    key: b.privateKeyPem,
    cert: b.certificatePem,
    ca: [a.certificatePem],
  });
  await once(socket, 'secureConnect');
  const [peer] = await accepted;
  assert.equal(socket.authorized, true);
  assert.equal(peer.getPeerX509Certificate()?.fingerprint256, new X509Certificate(b.certificatePem).fingerprint256);
  socket.destroy();
  peer.destroy();
  server.close();
  await once(server, 'close');
});
