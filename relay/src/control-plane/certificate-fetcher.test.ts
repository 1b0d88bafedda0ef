import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CertificatesAnswer } from '@tunnox/domain/relay-api';
import { createLogger } from '@tunnox/observability/logger';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { CertificateFetcher } from './certificate-fetcher.ts';
import { ControlPlaneError } from './control-plane-error.ts';

const log = createLogger({ name: 'test', level: 'silent' });

function row(certificate_id: number, version: number, chain: string | null = 'chain') {
  return { certificate_id, version, names: ['a.example.com'], chain, key: chain };
}

class Rig {
  readonly clock = new FakeClock();
  readonly asked: number[] = [];
  readonly applied: number[] = [];
  readonly retained: number[][] = [];
  answers: (CertificatesAnswer | Error)[] = [];
  readonly fetcher = new CertificateFetcher({
    api: {
      certificates: async (since) => {
        this.asked.push(since);
        const answer = this.answers.shift() ?? { version: since, more: false, certificates: [] };
        if (answer instanceof Error) throw answer;
        return answer;
      },
    },
    certificates: {
      apply: async (rows) => void this.applied.push(...rows.map(({ certificate_id }) => certificate_id)),
      retain: async (ids) => void this.retained.push([...ids]),
    },
    ...{ clock: this.clock, random: () => 0.5, log },
  });

  /** Lets a fetch that was begun end. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  }

  async after(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.settle();
  }
}

test('CertificateFetcher fetches all pages at the start, and keeps nothing else', async () => {
  const rig = new Rig();
  rig.answers = [
    { version: 5, more: true, certificates: [row(1, 4), row(2, 5)] },
    { version: 7, more: false, certificates: [row(3, 7), row(4, 8, null)] },
  ];
  rig.fetcher.start();
  await rig.settle();
  assert.deepEqual([rig.asked, rig.applied, rig.retained], [[0, 5], [1, 2, 3, 4], [[1, 2, 3]]]);
});

test('CertificateFetcher asks for what is newer when it is told to, and every few minutes', async () => {
  const rig = new Rig();
  rig.answers = [{ version: 7, more: false, certificates: [] }];
  rig.fetcher.start();
  await rig.settle();
  rig.fetcher.soon();
  rig.fetcher.soon();
  await rig.after(1000);
  assert.deepEqual(rig.asked, [0, 7]);
  await rig.after(180_000);
  assert.deepEqual(rig.asked, [0, 7, 7]);
  assert.equal(rig.retained.length, 1);
  await rig.after(24 * 3600_000);
  await rig.after(300_000);
  assert.equal(rig.asked.at(-1), 0);
  assert.equal(rig.retained.length, 2);
});

test('CertificateFetcher fetches once more when something came while it fetched', async () => {
  const rig = new Rig();
  rig.fetcher.start();
  rig.fetcher.soon();
  await rig.settle();
  await rig.after(1000);
  assert.equal(rig.asked.length, 2);
});

test('CertificateFetcher goes on after failures, says so, and drops nothing', async () => {
  const rig = new Rig();
  rig.answers = [new Error('no route'), new Error('no route')];
  rig.fetcher.start();
  await rig.settle();
  assert.deepEqual([rig.fetcher.snapshot().failures, rig.fetcher.snapshot().lastError], [1, 'no route']);
  await rig.after(2000);
  await rig.after(4000);
  assert.deepEqual([rig.asked, rig.fetcher.snapshot().lastError, rig.retained], [[0, 0, 0], null, [[]]]);
});

test('CertificateFetcher keeps what is here when a page after the first one fails', async () => {
  const rig = new Rig();
  rig.answers = [{ version: 5, more: true, certificates: [row(1, 4)] }, new Error('away')];
  rig.fetcher.start();
  await rig.settle();
  assert.deepEqual(rig.retained, []);
  await rig.after(3000);
  assert.deepEqual(rig.asked, [0, 5, 0]);
});

test('CertificateFetcher takes a control plane that delivers none as it is', async () => {
  const rig = new Rig();
  rig.answers = [new ControlPlaneError('none', { status: 404, code: 'not_found', retryAfterMs: null })];
  rig.fetcher.start();
  await rig.settle();
  assert.deepEqual(rig.fetcher.snapshot(), { fetchedAtS: null, failures: 0, lastError: null });
});

test('CertificateFetcher ends a fetch that would never end', async () => {
  const rig = new Rig();
  rig.answers = [{ version: 0, more: true, certificates: [] }];
  rig.fetcher.start();
  await rig.settle();
  assert.match(rig.fetcher.snapshot().lastError ?? '', /same page/);
});

test('CertificateFetcher asks for nothing any more when it was stopped', async () => {
  const rig = new Rig();
  rig.fetcher.start();
  await rig.settle();
  rig.fetcher.stop();
  rig.fetcher.soon();
  await rig.after(3600_000);
  assert.equal(rig.asked.length, 1);
});
