import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKeyPair } from 'jose';
import { AcmeError } from './acme-error.ts';
import { advanceCertificate } from './advance-certificate.ts';
import {
  CertificateFault,
  type CertificateJob,
  type ChallengePlace,
  type OrderProof,
  type StepResult,
} from './certificate-ports.ts';
import { FakeAuthority } from './test-support/fake-authority.ts';

const DIRECTORY = 'https://ca.example/directory';
const { privateKey } = await generateKeyPair('ES256');
const publicJwk = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' };
const LIFE = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2026-04-01T00:00:00Z') };

/** A certificate, an authority, and everything between them in memory. */
class Rig {
  readonly authority = new FakeAuthority();
  job: CertificateJob = {
    ...{ certificateId: 7, names: ['*.example.com', 'example.com'], baseDomain: 'example.com', userId: null },
    ...{ order: null, nextKeyEncrypted: null, retryCount: 0, createdAtMs: 0 },
  };
  place: ChallengePlace | CertificateFault = { challenge: 'dns-01', zoneId: 1, name: '_acme-challenge.example.com' };
  published: OrderProof[] = [];
  missing: string | null = null;
  limit: { message: string; inS: number } | null = null;
  caa: Error | null = null;
  badChain = false;
  nowMs = 1_000_000;
  blockedS = 0;
  accountUrl: string | null = null;
  directoryUrl = DIRECTORY;
  ordersCounted = 0;

  async step(): Promise<StepResult> {
    const result = await advanceCertificate(
      {
        client: this.authority.client,
        accounts: {
          load: async () => ({ privateKey, publicJwk, accountUrl: this.accountUrl, blockedS: this.blockedS }),
          saveUrl: async (_, url) => void (this.accountUrl = url),
          forgetUrl: async () => void (this.accountUrl = null),
          block: async (_, seconds) => void (this.blockedS = seconds),
        },
        challenges: {
          place: async () => {
            if (this.place instanceof Error) throw this.place;
            return this.place;
          },
          publish: async (_id, _place, proof) => {
            if (!this.published.some(({ answer }) => answer === proof.answer)) this.published.push(proof);
          },
          missing: async () => this.missing,
          withdraw: async () => void (this.published = []),
        },
        limits: {
          begin: async () => {
            if (this.limit === null) this.ordersCounted += 1;
            return this.limit;
          },
        },
        maker: {
          newKey: async () => 'KEY',
          csr: async () => new Uint8Array(1),
          inspect: async (chain) => {
            if (this.badChain) throw new CertificateFault('for another key');
            return { chain, ...LIFE };
          },
        },
        checkCaa: async () => {
          if (this.caa !== null) throw this.caa;
        },
        now: () => this.nowMs,
        random: () => 0.5,
      },
      { directoryUrl: this.directoryUrl, contact: [] },
      this.job,
    );
    // As the repository keeps it, through JSON.
    const kept = JSON.parse(JSON.stringify(result)) as StepResult;
    if (kept.kind === 'going') {
      this.job = { ...this.job, order: kept.order, nextKeyEncrypted: kept.nextKeyEncrypted };
    } else {
      const retryCount =
        kept.kind === 'failed' ? this.job.retryCount + 1 : kept.kind === 'held' ? this.job.retryCount : 0;
      this.job = { ...this.job, order: null, nextKeyEncrypted: null, retryCount };
    }
    return result;
  }

  /** Steps until the one of which `until` holds. */
  async steps(until: (result: StepResult) => boolean): Promise<StepResult> {
    for (let count = 0; count < 20; count += 1) {
      const result = await this.step();
      if (until(result)) return result;
    }
    return assert.fail('It does not come to that');
  }

  async toValidation(): Promise<void> {
    await this.steps(() => this.authority.calls.at(-1) === 'answer');
  }
}

const is = (kind: StepResult['kind']) => (result: StepResult) => result.kind === kind;

test('advanceCertificate() orders, publishes, lets validate, finalizes and fetches', async () => {
  const rig = new Rig();
  const states: string[] = [];
  const note = (result: StepResult) => void states.push(result.kind === 'going' ? result.state : result.kind);
  for (let count = 0; count < 3; count += 1) note(await rig.step());
  assert.deepEqual(
    rig.published.map(({ name }) => name),
    ['example.com', 'example.com'],
  );
  assert.equal(new Set(rig.published.map(({ answer }) => answer)).size, 2);
  note(await rig.step());
  rig.authority.prove();
  for (let count = 0; count < 3; count += 1) note(await rig.step());
  rig.authority.issue();
  const issued = await rig.step();
  note(issued);
  assert.deepEqual(states, [
    ...['ordering', 'validating', 'validating', 'validating', 'finalizing', 'finalizing', 'finalizing', 'issued'],
  ]);
  assert.ok(issued.kind === 'issued');
  assert.equal(issued.renewAt.toISOString(), '2026-03-02T00:00:00.000Z');
  assert.deepEqual([rig.published, rig.ordersCounted, rig.authority.orders.length], [[], 1, 1]);
});

test('advanceCertificate() goes on after every step that was done and not written down', async () => {
  const rig = new Rig();
  for (let count = 0; count < 30; count += 1) {
    const before = structuredClone(rig.job);
    const result = await rig.step();
    if (result.kind === 'issued') return;
    // The Worker died before it could write.
    if (result.kind === 'going' && result.state !== 'ordering') {
      rig.job = before;
      const again = await rig.step();
      assert.notEqual(again.kind, 'failed', JSON.stringify(again));
      if (again.kind === 'issued') return;
    }
    if (rig.authority.calls.at(-1) === 'answer') rig.authority.prove();
    if (rig.authority.orders.at(-1)?.csr === true) rig.authority.issue();
  }
  assert.fail('It was never issued');
});

test('advanceCertificate() asks for nothing when there is no place for the proof', async () => {
  const rig = new Rig();
  rig.place = new CertificateFault('No zone covers example.com');
  const held = await rig.step();
  assert.deepEqual([held.kind, held.kind === 'held' && held.message], ['held', 'No zone covers example.com']);
  assert.deepEqual(rig.authority.calls, []);
});

test('advanceCertificate() orders nothing that CAA records forbid', async () => {
  const rig = new Rig();
  rig.caa = new CertificateFault('CAA of example.com does not allow ca.example');
  const held = await rig.step();
  assert.ok(held.kind === 'held' && /CAA/.test(held.message) && held.inS >= 54);
  assert.equal(rig.authority.orders.length, 0);
});

test('advanceCertificate() begins no order beyond the limits, nor while the authority wants none', async () => {
  const rig = new Rig();
  rig.limit = { message: 'too many', inS: 1234 };
  assert.deepEqual(await rig.step(), { kind: 'held', message: 'too many', inS: 1234 + 300 });
  [rig.limit, rig.blockedS] = [null, 99];
  const held = await rig.step();
  assert.ok(held.kind === 'held' && held.inS === 99);
  assert.deepEqual([rig.authority.orders.length, rig.ordersCounted], [0, 0]);
});

test('advanceCertificate() waits for what cannot be seen, says what, and gives up after half an hour', async () => {
  const rig = new Rig();
  rig.missing = 'The record waits for its provider';
  await rig.step();
  await rig.step();
  const waits = await rig.step();
  assert.ok(waits.kind === 'going' && waits.message === rig.missing);
  assert.ok(!rig.authority.calls.includes('answer'));
  rig.nowMs += 31 * 60_000;
  const failed = await rig.step();
  assert.ok(failed.kind === 'failed' && failed.message.startsWith(rig.missing) && failed.inS === 300);
  assert.deepEqual(rig.published, []);
});

test('advanceCertificate() tells why a name was not proved, and tries later and later', async () => {
  const rig = new Rig();
  const waits: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    await rig.toValidation();
    rig.authority.prove('invalid', 'Incorrect TXT record');
    const failed = await rig.steps(is('failed'));
    assert.ok(failed.kind === 'failed');
    assert.match(failed.message, /example\.com was not proved: Incorrect TXT record/);
    waits.push(failed.inS);
    assert.deepEqual(rig.published, []);
  }
  assert.deepEqual(waits, [300, 900, 3600]);
  assert.equal(rig.authority.orders.length, 3);
});

test('advanceCertificate() makes a new account at an authority that has lost the old one', async () => {
  const rig = new Rig();
  await rig.toValidation();
  rig.authority.accounts.clear();
  const held = await rig.steps(is('held'));
  assert.ok(held.kind === 'held' && held.inS === 1);
  assert.equal(rig.accountUrl, null);
  await rig.toValidation();
  assert.equal(rig.authority.accounts.size, 1);
  assert.equal(rig.job.retryCount, 0);
});

test('advanceCertificate() goes on with the same order when the authority was away', async () => {
  const rig = new Rig();
  await rig.toValidation();
  rig.authority.refuse('authorization', new AcmeError('unreachable', 'It cannot be reached'));
  const away = await rig.step();
  assert.ok(away.kind === 'going' && away.message === 'It cannot be reached' && away.inS >= 20);
  rig.authority.prove();
  await rig.steps(({ kind }) => kind === 'going' && rig.authority.orders.at(-1)?.csr === true);
  rig.authority.issue();
  await rig.steps(is('issued'));
  assert.equal(rig.authority.orders.length, 1);
});

test('advanceCertificate() counts no failure of an authority that is away before the order', async () => {
  const rig = new Rig();
  rig.authority.refuse('newOrder', new AcmeError('unreachable', 'It cannot be reached'));
  const held = await rig.step();
  assert.ok(held.kind === 'held' && held.message === 'It cannot be reached');
  assert.equal(rig.job.retryCount, 0);
});

test('advanceCertificate() obeys Retry-After, for all orders at that authority', async () => {
  const rig = new Rig();
  rig.authority.refuse('newOrder', new AcmeError('rate_limited', 'too many orders', { retryAfterS: 7200 }));
  assert.deepEqual(await rig.step(), { kind: 'held', message: 'too many orders', inS: 7200 });
  assert.equal(rig.blockedS, 7200);
});

test('advanceCertificate() waits within an order as long as it is asked to', async () => {
  const rig = new Rig();
  await rig.toValidation();
  rig.authority.refuse('authorization', new AcmeError('rate_limited', 'slower', { retryAfterS: 120 }));
  const waits = await rig.step();
  assert.ok(waits.kind === 'going' && waits.inS === 120);
  rig.authority.refuse('authorization', new AcmeError('rate_limited', 'much slower', { retryAfterS: 86_400 }));
  const held = await rig.step();
  assert.ok(held.kind === 'held' && held.inS === 86_400);
});

test('advanceCertificate() begins anew when the order has ended or is not known', async () => {
  for (const end of ['invalid', 'gone'] as const) {
    const rig = new Rig();
    await rig.toValidation();
    rig.authority.prove();
    await rig.steps((result) => result.kind === 'going' && result.state === 'finalizing');
    const [order] = rig.authority.orders;
    if (end === 'gone') rig.authority.refuse('order', new AcmeError('refused', 'No such order'));
    else if (order !== undefined) order.status = 'invalid';
    assert.equal((await rig.step()).kind, 'failed');
    await rig.step();
    assert.equal(rig.authority.orders.length, 2, end);
  }
});

test('advanceCertificate() begins anew at another authority', async () => {
  const rig = new Rig();
  await rig.toValidation();
  rig.directoryUrl = 'https://other.example/directory';
  const first = await rig.step();
  assert.ok(first.kind === 'going' && first.order.directoryUrl === rig.directoryUrl);
  assert.equal(rig.authority.orders.length, 2);
  assert.deepEqual(rig.published, []);
});

test('advanceCertificate() needs no proof of what the authority remembers', async () => {
  const rig = new Rig();
  await rig.step();
  rig.authority.prove();
  const published = await rig.step();
  assert.ok(published.kind === 'going' && published.order.proofs?.length === 0 && published.inS === 0);
  await rig.steps(() => rig.authority.orders[0]?.csr === true);
  rig.authority.issue();
  assert.equal((await rig.steps(is('issued'))).kind, 'issued');
  assert.ok(!rig.authority.calls.includes('answer'));
});

test('advanceCertificate() says when the authority does not offer what is needed', async () => {
  const rig = new Rig();
  rig.authority.offers = ['tls-alpn-01'];
  await rig.step();
  const failed = await rig.step();
  assert.ok(failed.kind === 'failed' && failed.message.includes('offers no dns-01 for example.com'));
});

test('advanceCertificate() refuses a certificate that is not what was asked for, and asks for no more at once', async () => {
  const rig = new Rig();
  await rig.toValidation();
  rig.authority.prove();
  await rig.steps(() => rig.authority.orders[0]?.csr === true);
  rig.authority.issue();
  rig.badChain = true;
  const failed = await rig.step();
  assert.ok(failed.kind === 'failed' && failed.inS === 300);
});

test('advanceCertificate() leaves what is not the authority’s fault to its caller', async () => {
  const rig = new Rig();
  rig.caa = new TypeError('a bug');
  await assert.rejects(rig.step(), /a bug/);
});

test('advanceCertificate() proves by http-01 with the key authorization as it is', async () => {
  const rig = new Rig();
  rig.place = { challenge: 'http-01' };
  await rig.step();
  const published = await rig.step();
  assert.ok(published.kind === 'going' && published.inS === 0);
  assert.match(rig.published[0]?.answer ?? '', /^token-0-0-0123456789\.[A-Za-z0-9_-]{43}$/);
});
