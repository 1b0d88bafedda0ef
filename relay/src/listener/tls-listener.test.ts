import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { DevelopmentCa } from '@tunnox/certificates/development-ca';
import { createLogger } from '@tunnox/observability/logger';
import { FakeClock } from '@tunnox/testing/fake-clock';
import type { Peer } from '../proxy/forwarding.ts';
import { CertificateChoice } from './certificate-choice.ts';
import { CertificateError, type CertificateFiles, CertificateStore } from './certificate-store.ts';
import { ConnectionGate } from './connection-gate.ts';
import { TlsListener } from './tls-listener.ts';

const log = createLogger({ name: 'test', level: 'silent' });

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tunnox-tls-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

async function certificate(dir: string, ca: DevelopmentCa, name: string, names: string[]): Promise<CertificateFiles> {
  const files = { certFile: join(dir, `${name}.pem`), keyFile: join(dir, `${name}-key.pem`) };
  await ca.ensureServerCertificate(files, names);
  return files;
}

/** A listener whose connections are answered by the names of their certificate and half-closed. */
async function bench(t: TestContext, files: CertificateFiles[]) {
  const clock = new FakeClock();
  const certificates = new CertificateStore(files, log);
  await certificates.start();
  const peers: Peer[] = [];
  const listener = new TlsListener(
    {
      proxy: {
        handle: (socket, peer) => {
          peers.push(peer);
          socket.on('error', () => {});
          socket.resume();
          // Only after the visitor has ended its side: it may, and still gets its answer.
          socket.on('end', () => socket.end('answer'));
        },
      },
      certificates: new CertificateChoice(certificates, { find: () => undefined }),
      gate: new ConnectionGate(clock, { waitingMax: 10, waitingPerAddressMax: 10 }),
    },
    { host: '127.0.0.1', port: 0 },
  );
  const port = await listener.start();
  t.after(() => {
    listener.stop();
    listener.stop();
    certificates.stop();
  });
  return { clock, port, peers, certificates };
}

async function visit(port: number, servername: string, alpn = ['h2', 'http/1.1']) {
  const socket: TLSSocket = connect({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    ALPNProtocols: alpn,
    ...(servername === '' ? {} : { servername }),
  });
  await once(socket, 'secureConnect');
  const names = socket.getPeerCertificate().subjectaltname ?? '';
  const { alpnProtocol } = socket;
  socket.end();
  return { names, alpnProtocol, answer: await text(socket) };
}

test('TlsListener chooses the certificate by name, wildcards after exact names, the first one for the rest', async (t) => {
  const dir = await folder(t);
  const ca = await DevelopmentCa.loadOrCreate(join(dir, 'ca'));
  const { port, peers } = await bench(t, [
    await certificate(dir, ca, 'first', ['first.example.com']),
    await certificate(dir, ca, 'wild', ['*.example.com']),
    await certificate(dir, ca, 'exact', ['exact.example.com']),
  ]);
  const cases: [asked: string, name: string][] = [
    ['first.example.com', 'first.example.com'],
    ['EXACT.example.com', 'exact.example.com'],
    ['foo.example.com', '*.example.com'],
    ['a.foo.example.com', 'first.example.com'],
    ['other.org', 'first.example.com'],
    ['', 'first.example.com'],
  ];
  for (const [asked, name] of cases) {
    const { names, alpnProtocol, answer } = await visit(port, asked);
    assert.equal(names, `DNS:${name}`, asked);
    assert.equal(alpnProtocol, 'http/1.1');
    assert.equal(answer, 'answer');
  }
  assert.equal((await visit(port, 'foo.example.com', [])).answer, 'answer');
  assert.deepEqual([peers[0]?.address, peers[0]?.secure], ['127.0.0.1', true]);
});

test('TlsListener ends who says nothing or rubbish, and stays up', async (t) => {
  const dir = await folder(t);
  const ca = await DevelopmentCa.loadOrCreate(join(dir, 'ca'));
  const { port, clock, peers } = await bench(t, [await certificate(dir, ca, 'a', ['a.example.com'])]);
  const rubbish = connectTcp(port, '127.0.0.1');
  rubbish.on('error', () => {});
  rubbish.end('GET / HTTP/1.1\r\n\r\n');
  rubbish.resume();
  await once(rubbish, 'close');
  const silent = connectTcp(port, '127.0.0.1');
  silent.on('error', () => {});
  silent.resume();
  const closed = once(silent, 'close');
  await once(silent, 'connect');
  await visit(port, 'a.example.com');
  clock.advance(11_000);
  await closed;
  assert.equal(peers.length, 1);
});

test('CertificateStore loads a changed certificate and keeps the old one while the new one cannot be used', async (t) => {
  const dir = await folder(t);
  const ca = await DevelopmentCa.loadOrCreate(join(dir, 'ca'));
  const files = await certificate(dir, ca, 'a', ['a.example.com']);
  const other = await certificate(dir, ca, 'b', ['b.example.com']);
  const store = new CertificateStore([files], log, { watchMs: 20 });
  t.after(() => store.stop());
  await store.start();
  const choice = new CertificateChoice(store, { find: () => undefined });
  const before = choice.contextFor('a.example.com');
  const changed = (): Promise<void> =>
    new Promise((resolve) => {
      store.onChange = resolve;
    });
  let next = changed();
  await writeFile(files.certFile, await readFile(other.certFile));
  await next;
  assert.equal(choice.contextFor('a.example.com'), before);
  next = changed();
  await writeFile(files.keyFile, await readFile(other.keyFile));
  await next;
  assert.notEqual(choice.contextFor('b.example.com'), before);
  assert.equal(choice.contextFor('a.example.com'), choice.contextFor('b.example.com'));
});

test('CertificateStore.start() names the file that cannot be used', async (t) => {
  const dir = await folder(t);
  const ca = await DevelopmentCa.loadOrCreate(join(dir, 'ca'));
  const { certFile } = await certificate(dir, ca, 'a', ['a.example.com']);
  const other = await certificate(dir, ca, 'b', ['b.example.com']);
  const missing = { certFile: join(dir, 'none.pem'), keyFile: other.keyFile };
  for (const files of [missing, { certFile, keyFile: other.keyFile }]) {
    await assert.rejects(new CertificateStore([files], log).start(), (error) => {
      return error instanceof CertificateError && error.message.includes(files.certFile);
    });
  }
});
