import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { DevelopmentCa } from '@tunnox/certificates/development-ca';
import type { DeliveredCertificate } from '@tunnox/domain/relay-api';
import { createLogger } from '@tunnox/observability/logger';
import { CertificateChoice } from './certificate-choice.ts';
import { CertificateFolder } from './certificate-folder.ts';
import { DeliveredCertificates } from './delivered-certificates.ts';

const log = createLogger({ name: 'test', level: 'silent' });
let dir: string;
let ca: DevelopmentCa;
let made = 0;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunnox-delivered-'));
  ca = await DevelopmentCa.loadOrCreate(join(dir, 'ca'));
});
after(() => rm(dir, { recursive: true, force: true }));

async function certificate(id: number, version: number, ...names: string[]): Promise<DeliveredCertificate> {
  made += 1;
  const [certFile, keyFile] = [join(dir, `${made}.pem`), join(dir, `${made}-key.pem`)];
  await ca.ensureServerCertificate({ certFile, keyFile }, names);
  const [chain, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  return { certificate_id: id, version, names, chain, key };
}

async function shelf(t: TestContext): Promise<{ folder: string; delivered: () => Promise<DeliveredCertificates> }> {
  const folder = await mkdtemp(join(dir, 'shelf-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const delivered = async () => {
    const certificates = new DeliveredCertificates(new CertificateFolder(folder), log);
    await certificates.load();
    return certificates;
  };
  return { folder, delivered };
}

test('DeliveredCertificates serves by name, and a newer version takes the place of an older one', async (t) => {
  const { delivered } = await shelf(t);
  const certificates = await delivered();
  await certificates.apply([await certificate(1, 10, '*.example.com', 'example.com')]);
  const before = certificates.find('example.com');
  assert.ok(before);
  assert.equal(certificates.find('*.example.com'), before);
  assert.equal(certificates.find('a.example.com'), undefined);
  const older = await certificate(1, 9, 'old.example.com');
  await certificates.apply([older, await certificate(1, 11, 'example.com')]);
  assert.notEqual(certificates.find('example.com'), before);
  assert.deepEqual([certificates.find('*.example.com'), certificates.find('old.example.com')], [undefined, undefined]);
  assert.equal(certificates.size, 1);
});

test('DeliveredCertificates keeps the old one when the new one cannot be used', async (t) => {
  const { delivered } = await shelf(t);
  const certificates = await delivered();
  const good = await certificate(1, 1, 'a.example.com');
  await certificates.apply([good]);
  const context = certificates.find('a.example.com');
  const other = await certificate(2, 2, 'b.example.com');
  await certificates.apply([
    { ...good, version: 2, key: other.key },
    { ...good, version: 3, chain: 'nothing' },
    { ...good, version: 4, key: null },
  ]);
  assert.equal(certificates.find('a.example.com'), context);
  assert.equal(certificates.snapshot().refused, 3);
});

test('DeliveredCertificates forgets what is gone, and what is not among all', async (t) => {
  const { folder, delivered } = await shelf(t);
  const certificates = await delivered();
  await certificates.apply([
    await certificate(1, 1, 'a.example.com'),
    await certificate(2, 2, 'b.example.com'),
    await certificate(3, 3, 'c.example.com'),
  ]);
  await certificates.apply([{ certificate_id: 1, version: 4, names: [], chain: null, key: null }]);
  await certificates.retain(new Set([3]));
  const found = ['a', 'b', 'c'].map((name) => certificates.find(`${name}.example.com`) !== undefined);
  assert.deepEqual(found, [false, false, true]);
  assert.deepEqual(await readdir(folder), ['3.json']);
});

test('DeliveredCertificates are there after a restart, in files that nobody else can read', async (t) => {
  const { folder, delivered } = await shelf(t);
  const first = await delivered();
  await first.apply([await certificate(7, 1, 'a.example.com'), await certificate(8, 2, 'b.example.com')]);
  const { mode } = await stat(join(folder, '7.json'));
  assert.equal(mode & 0o777, 0o600);
  await writeFile(join(folder, '8.json'), '{"certificate_id":8');
  await writeFile(join(folder, '9.json.tmp'), 'half');
  const second = await delivered();
  assert.ok(second.find('a.example.com'));
  assert.equal(second.find('b.example.com'), undefined);
  assert.deepEqual((await readdir(folder)).toSorted(), ['7.json', '8.json']);
});

test('DeliveredCertificates serves what it cannot write down', async (t) => {
  const { folder, delivered } = await shelf(t);
  const certificates = await delivered();
  await rm(folder, { recursive: true });
  await certificates.apply([await certificate(1, 1, 'a.example.com')]);
  assert.ok(certificates.find('a.example.com'));
});

test('DeliveredCertificates tells when there is something to serve, and which end first', async (t) => {
  const { delivered } = await shelf(t);
  const certificates = await delivered();
  let servable = 0;
  certificates.onServable = () => void (servable += 1);
  await certificates.apply([]);
  assert.equal(servable, 0);
  const one = await certificate(1, 1, 'a.example.com');
  await certificates.apply([one]);
  await certificates.apply([await certificate(2, 2, 'b.example.com')]);
  await certificates.apply([]);
  assert.equal(servable, 3);
  const { loaded, ending } = certificates.snapshot();
  assert.deepEqual([loaded, ending[0]?.name], [2, 'a.example.com']);
  assert.equal(ending[0]?.notAfterMs, Date.parse(new X509Certificate(one.chain ?? '').validTo));
});

test('CertificateChoice prefers exact names to wildcards, and files to what was delivered', async (t) => {
  const { delivered } = await shelf(t);
  const contexts = await delivered();
  for (let id = 1; id <= 5; id += 1) await contexts.apply([await certificate(id, id, `c${id}.example.com`)]);
  const [wildFile, exactFile, wildDelivered, exactDelivered, fallback] = [1, 2, 3, 4, 5].map((id) =>
    contexts.find(`c${id}.example.com`),
  );
  assert.ok(wildFile && exactFile && wildDelivered && exactDelivered && fallback);
  const files = new Map([
    ['*.example.com', wildFile],
    ['both.example.com', exactFile],
  ]);
  const given = new Map([
    ['*.example.com', wildDelivered],
    ['*.only.example', wildDelivered],
    ['both.example.com', exactDelivered],
    ['given.example.com', exactDelivered],
  ]);
  const choice = new CertificateChoice(
    { find: (name) => files.get(name), fallback },
    { find: (name) => given.get(name) },
  );
  assert.equal(choice.contextFor('both.example.com'), exactFile);
  assert.equal(choice.contextFor('Given.Example.com'), exactDelivered);
  assert.equal(choice.contextFor('other.example.com'), wildFile);
  assert.equal(choice.contextFor('a.only.example'), wildDelivered);
  assert.equal(choice.contextFor('a.b.only.example'), fallback);
  for (const name of ['', 'localhost', 'only.example']) assert.equal(choice.contextFor(name), fallback);
});
