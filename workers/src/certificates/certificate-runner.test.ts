import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdvanceDeps } from './advance-certificate.ts';
import { CertificateFault, type CertificateJob, type StepResult } from './certificate-ports.ts';
import { CertificateRunner } from './certificate-runner.ts';

const JOB: CertificateJob = {
  ...{ certificateId: 1, names: ['a.example'], baseDomain: null, userId: 7, order: null },
  ...{ nextKeyEncrypted: null, retryCount: 0, createdAtMs: 0 },
};

class Rig {
  nowMs = 0;
  due: CertificateJob[] = [];
  saved: StepResult[] = [];
  version: number | null = 5;
  saveError: Error | null = null;
  place: Error = new CertificateFault('no zone');
  settled = 0;
  readonly lines: string[] = [];
  readonly runner = new CertificateRunner(
    {
      // The first thing that a step does; everything behind it is the state machine's.
      advance: {
        challenges: { withdraw: async () => {}, place: () => Promise.reject(this.place) },
        ...{ now: () => this.nowMs, random: () => 0.5 },
      } as unknown as AdvanceDeps,
      jobs: {
        takeDue: async (_holder, _leaseS, limit) => this.due.splice(0, limit),
        save: async (_id, _holder, result) => {
          if (this.saveError !== null) throw this.saveError;
          this.saved.push(result);
          return this.version;
        },
        nextDueAtMs: async () => 4711,
      },
      wants: { settle: async () => (this.settled += 1), clear: async () => {} },
      tellRelays: async () => {},
      log: {
        info: (_, message) => void this.lines.push(message),
        warn: (_, message) => void this.lines.push(message),
        error: (_, message) => void this.lines.push(message),
      },
      now: () => this.nowMs,
    },
    { directoryUrl: 'https://ca.example/directory', contact: [], baseDomains: ['tunnox.example'], holder: 'me' },
  );
}

test('CertificateRunner takes all that is due, and says when the next is', async () => {
  const rig = new Rig();
  rig.due = Array.from({ length: 20 }, (_, certificateId) => ({ ...JOB, certificateId }));
  assert.equal(await rig.runner.run(false), 4711);
  assert.equal(rig.saved.length, 20);
});

test('CertificateRunner looks at what is wanted when it has changed, and each minute', async () => {
  const rig = new Rig();
  for (const [changed, nowMs, settled] of [
    [false, 0, 1],
    [false, 1000, 1],
    [true, 2000, 2],
    [false, 61_000, 2],
    [false, 62_000, 3],
  ] as const) {
    rig.nowMs = nowMs;
    await rig.runner.run(changed);
    assert.equal(rig.settled, settled, String(nowMs));
  }
});

test('CertificateRunner tries again what fails for a reason of ours, without a hot loop', async () => {
  const rig = new Rig();
  rig.place = new TypeError('a bug');
  rig.due = [JOB];
  await rig.runner.run(false);
  assert.deepEqual(
    rig.saved.map(({ kind }) => kind),
    ['held'],
  );
  assert.ok(rig.saved[0]?.kind === 'held' && rig.saved[0].inS >= 60 && !rig.saved[0].message.includes('bug'));
  assert.deepEqual(rig.lines, ['A step of a certificate failed']);
});

test('CertificateRunner goes on with the others when one cannot be written, or was taken by somebody', async () => {
  const rig = new Rig();
  rig.version = null;
  rig.due = [JOB, { ...JOB, certificateId: 2 }];
  await rig.runner.run(false);
  assert.deepEqual(rig.lines, Array(2).fill('Another Worker has taken a step of a certificate meanwhile'));
  rig.lines.length = 0;
  rig.saveError = new Error('no database');
  rig.due = [JOB, { ...JOB, certificateId: 2 }];
  assert.equal(await rig.runner.run(false), 4711);
  assert.deepEqual(rig.lines, Array(2).fill('A step of a certificate could not be written down'));
});
