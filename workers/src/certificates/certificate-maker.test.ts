import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createPrivateKey, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import fc from 'fast-check';
import { createKeyedCipher } from '../services/keyed-cipher.ts';
import { createCertificateMaker, keyPem } from './certificate-maker.ts';
import { CertificateFault } from './certificate-ports.ts';

const cipher = createKeyedCipher([randomBytes(32)], 'certificate-key');
const maker = createCertificateMaker(cipher);
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

test('csr() asks for the names, signed by a key that is only kept encrypted', async () => {
  const key = await maker.newKey();
  assert.ok(!key.includes('PRIVATE'));
  const request = new Pkcs10CertificateRequest(Buffer.from(await maker.csr(key, ['*.example.com', 'example.com'])));
  assert.ok(await request.verify());
  const names = request.extensions.find((one) => one instanceof SubjectAlternativeNameExtension)?.names.toJSON();
  assert.deepEqual(
    names?.map(({ value }) => value),
    ['*.example.com', 'example.com'],
  );
  assert.equal(createPrivateKey(await keyPem(cipher, key)).asymmetricKeyType, 'ec');
});

test('inspect() refuses a certificate for another key, or without a name', async () => {
  const [key, other] = [await maker.newKey(), await maker.newKey()];
  const request = new Pkcs10CertificateRequest(Buffer.from(await maker.csr(key, ['a.example.com'])));
  const ca = (await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as CryptoKeyPair;
  const certificate = await X509CertificateGenerator.create({
    ...{ subject: 'CN=a', issuer: 'CN=ca', publicKey: await request.publicKey.export(), signingKey: ca.privateKey },
    ...{ notBefore: new Date('2026-01-01'), notAfter: new Date('2026-04-01'), signingAlgorithm: ALGORITHM },
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: 'a.example.com' }])],
  });
  const chain = certificate.toString('pem');
  const { notAfter, chain: kept } = await maker.inspect(`# hello\n${chain}`, key, ['a.example.com']);
  assert.equal(kept, `${chain}\n`);
  assert.equal(notAfter.toISOString(), '2026-04-01T00:00:00.000Z');
  await assert.rejects(maker.inspect(chain, other, ['a.example.com']), /another key/);
  await assert.rejects(maker.inspect(chain, key, ['a.example.com', 'b.example.com']), /without b\.example\.com/);
});

test('inspect() refuses whatever is no chain, always in the same way', async () => {
  const key = await maker.newKey();
  const block = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.array(fc.base64String()).map((texts) => texts.map(block).join('')),
      ),
      (chain) => assert.rejects(maker.inspect(chain, key, ['a.example.com']), CertificateFault),
    ),
    { numRuns: 50 },
  );
});
