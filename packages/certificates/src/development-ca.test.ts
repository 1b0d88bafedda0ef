import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import { needs } from '@tunnox/testing/needs';
import { DevelopmentCa, localServerNames } from './development-ca.ts';

const DAY_MS = 86_400_000;
const START = new Date('2026-03-01T00:00:00.500Z');
const NAMES = localServerNames('tunnox.localhost');

let dir: string;
let files: { certFile: string; keyFile: string };
let now: Date;
const load = () => DevelopmentCa.loadOrCreate(dir, { now: () => now });
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunnox-ca-'));
  files = { certFile: join(dir, 'server.pem'), keyFile: join(dir, 'server-key.pem') };
  now = START;
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test('DevelopmentCa.loadOrCreate() keeps one authority, its key for its owner only', async () => {
  const first = await load();
  const second = await load();
  assert.equal(second.certificatePem, first.certificatePem);
  assert.equal((await stat(join(dir, 'ca-key.pem'))).mode & 0o777, 0o600);
  assert.equal(new X509Certificate(first.certificatePem).ca, true);
});

test('DevelopmentCa.loadOrCreate() signs an ending authority again with the same key', async () => {
  const first = await load();
  now = new Date(START.getTime() + 3630 * DAY_MS);
  const second = await load();
  assert.notEqual(second.certificatePem, first.certificatePem);
  const [a, b] = [new X509Certificate(first.certificatePem), new X509Certificate(second.certificatePem)];
  assert.equal(b.subject, a.subject);
  assert.deepEqual(b.publicKey.export({ format: 'jwk' }), a.publicKey.export({ format: 'jwk' }));
});

test(
  'DevelopmentCa.ensureServerCertificate() writes a chain that openssl verifies strictly for every name',
  { skip: needs('openssl') },
  async () => {
    // Real time: openssl compares with its own clock.
    now = new Date();
    const ca = await load();
    assert.equal(await ca.ensureServerCertificate(files, NAMES), true);
    const certificate = new X509Certificate(await readFile(files.certFile));
    for (const name of ['demo.tunnox.localhost', 'tunnox.localhost', 'localhost'])
      assert.ok(certificate.checkHost(name));
    for (const address of ['127.0.0.1', '::1']) assert.ok(certificate.checkIP(address));
    assert.equal(certificate.checkHost('a.b.tunnox.localhost'), undefined);
    assert.equal((await stat(files.keyFile)).mode & 0o777, 0o600);
    const verified = await run('openssl', ['verify', '-x509_strict', '-CAfile', ca.caFile, files.certFile]);
    assert.match(verified, /: OK/);
  },
);

test('DevelopmentCa.ensureServerCertificate() is good for curl --cacert', { skip: needs('curl') }, async () => {
  now = new Date();
  const ca = await load();
  await ca.ensureServerCertificate(files, NAMES);
  const server = createServer({ cert: await readFile(files.certFile), key: await readFile(files.keyFile) });
  server.on('request', (_request, response) => response.end('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const url = `https://demo.tunnox.localhost:${address.port}/`;
    const resolve = `demo.tunnox.localhost:${address.port}:127.0.0.1`;
    const body = await run('curl', ['-sS', '--noproxy', '*', '--cacert', ca.caFile, '--resolve', resolve, url]);
    assert.equal(body, 'hello');
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('DevelopmentCa.ensureServerCertificate() renews with 30 days left, not before', async () => {
  const ca = await load();
  await ca.ensureServerCertificate(files, NAMES);
  now = new Date(START.getTime() + 366 * DAY_MS);
  assert.equal(await ca.ensureServerCertificate(files, NAMES), false);
  now = new Date(START.getTime() + 368 * DAY_MS);
  assert.equal(await ca.ensureServerCertificate(files, NAMES), true);
  assert.equal(await ca.ensureServerCertificate(files, NAMES), false);
});

test('DevelopmentCa.ensureServerCertificate() renews for other names, another authority, damaged or unequal files', async () => {
  const ca = await load();
  await ca.ensureServerCertificate(files, NAMES);
  assert.equal(await ca.ensureServerCertificate(files, [...NAMES, 'app.example.com']), true);

  await rm(join(dir, 'ca.pem'));
  await rm(join(dir, 'ca-key.pem'));
  const other = await load();
  assert.equal(await other.ensureServerCertificate(files, [...NAMES, 'app.example.com']), true);

  await writeFile(files.certFile, 'garbage');
  assert.equal(await other.ensureServerCertificate(files, NAMES), true);

  await writeFile(files.keyFile, await readFile(join(dir, 'ca-key.pem')));
  assert.equal(await other.ensureServerCertificate(files, NAMES), true);
});

/** Standard output of a command; null when it is not installed. */
async function run(command: string, args: string[]): Promise<string> {
  return (await promisify(execFile)(command, args, { timeout: 10_000 })).stdout;
}
