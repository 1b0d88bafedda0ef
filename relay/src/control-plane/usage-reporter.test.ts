import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { UsageAnswer, UsageRequest } from '@tunnox/domain/relay-api';
import { createLogger } from '@tunnox/observability/logger';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { ControlPlaneError } from './control-plane-error.ts';
import { UsageReporter } from './usage-reporter.ts';
import { UsageSpool } from './usage-spool.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const FIRST = '01ARZ3NDEKTSV4RRFFQ69G5FAA';
const SECOND = '01ARZ3NDEKTSV4RRFFQ69G5FAB';

function entry(bytes: number, binding = 1): UsageRequest['entries'][number] {
  return {
    binding_id: `mapping:${binding}`,
    client_id: 600_000_000,
    user_id: 100_000_001,
    bytes_in: bytes,
    bytes_out: 0,
    connections: 1,
  };
}

/** Applies each (incarnation, sequence) once, as the control plane does. */
class FakeLedger {
  state: 'here' | 'away' | 'deaf' | 'refusing' = 'here';
  total = 0;
  readonly applied = new Set<string>();
  calls = 0;
  /** The last report that came. */
  last: UsageRequest | undefined;

  async usage(report: UsageRequest): Promise<UsageAnswer> {
    this.calls++;
    this.last = report;
    if (this.state === 'away') throw away();
    if (this.state === 'refusing')
      throw new ControlPlaneError('no', { status: 422, code: 'invalid', retryAfterMs: null });
    const key = `${report.incarnation}/${report.sequence}`;
    if (!this.applied.has(key)) for (const { bytes_in } of report.entries) this.total += bytes_in;
    this.applied.add(key);
    if (this.state === 'deaf') throw away();
    return { allowances: [{ user_id: 100_000_001, traffic_remaining_bytes: 5 }] };
  }
}

/** Reports write files, so they take turns. */
async function eventually(ready: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await ready())) await new Promise((resolve) => setImmediate(resolve));
}

function away(): ControlPlaneError {
  return new ControlPlaneError('away', { status: 0, code: '', retryAfterMs: null });
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tunnox-usage-'));
  t.after(() => rm(path, { recursive: true }));
  return join(path, 'usage');
}

function bench(path: string, ledger: FakeLedger, incarnation: string, filesMax = 100, nowMs?: number) {
  const clock = new FakeClock(nowMs);
  const counted: UsageRequest['entries'] = [];
  const reported: number[] = [];
  const asking = { user_ids: [] as number[], client_ids: [] as number[] };
  const speeds = new Map<number, number>();
  const source = {
    takeUsage: () => counted.splice(0),
    reported: (entries: readonly UsageRequest['entries'][number][]) =>
      void reported.push(entries.reduce((sum, { bytes_in }) => sum + bytes_in, 0)),
    asking: () => asking,
    sharedSpeeds: () => speeds,
  };
  const spool = new UsageSpool(path, filesMax);
  const reporter = new UsageReporter({ api: ledger, source, spool, clock, log }, incarnation);
  return { clock, counted, reported, asking, speeds, spool, reporter };
}

test('UsageReporter reports each minute, and nothing when nothing was counted', async (t) => {
  const ledger = new FakeLedger();
  const { clock, counted, reported, reporter } = bench(await folder(t), ledger, FIRST);
  reporter.start();
  counted.push(entry(10));
  clock.advance(1000);
  await eventually(() => reported.length === 1 && clock.pending === 1);
  assert.equal(ledger.total, 10);
  clock.advance(60_000);
  await eventually(() => clock.pending === 1);
  counted.push(entry(5));
  clock.advance(60_000);
  await eventually(() => reported.length === 2 && clock.pending === 1);
  assert.equal(ledger.total, 15);
  assert.equal(ledger.calls, 2);
  counted.push(entry(1));
  reporter.reportSoon();
  clock.advance(1000);
  await eventually(() => reported.length === 3);
  assert.deepEqual(reported, [10, 5, 1]);
  await reporter.stop();
});

test('UsageReporter parts large reports', async (t) => {
  const ledger = new FakeLedger();
  const { counted, reporter } = bench(await folder(t), ledger, FIRST);
  counted.push(...Array.from({ length: 2500 }, (_, n) => entry(1, n + 1)));
  await reporter.stop();
  assert.deepEqual(
    [...ledger.applied],
    [1, 2, 3].map((sequence) => `${FIRST}/${sequence}`),
  );
});

test('UsageReporter spools while the control plane is away, and a later process reports it once', async (t) => {
  const path = await folder(t);
  const ledger = new FakeLedger();
  const first = bench(path, ledger, FIRST);
  first.reporter.start();
  ledger.state = 'deaf';
  first.counted.push(entry(10));
  first.clock.advance(1000);
  await eventually(async () => (await first.spool.size()) === 1);
  ledger.state = 'away';
  first.counted.push(entry(20));
  await first.reporter.stop();
  await first.reporter.stop();
  assert.equal(await first.spool.size(), 2);

  ledger.state = 'here';
  const second = bench(path, ledger, SECOND);
  second.counted.push(entry(30));
  await second.reporter.stop();
  assert.equal(ledger.total, 60);
  assert.deepEqual([...ledger.applied], [`${FIRST}/1`, `${FIRST}/2`, `${SECOND}/1`]);
  assert.deepEqual(second.reported, [0, 0, 30]);
  assert.deepEqual(await readdir(path), []);
});

test('UsageReporter reports all the same when the spool cannot be used', async (t) => {
  const path = await folder(t);
  await writeFile(path, 'not a folder');
  const ledger = new FakeLedger();
  const { counted, reporter } = bench(path, ledger, FIRST);
  counted.push(entry(10));
  await reporter.stop();
  assert.equal(ledger.total, 10);
  const other = bench(path, ledger, SECOND);
  ledger.state = 'away';
  other.counted.push(entry(10));
  await other.reporter.stop();
  assert.equal(ledger.total, 10);
});

test('UsageReporter drops a report that will never be taken', async (t) => {
  const path = await folder(t);
  const ledger = new FakeLedger();
  ledger.state = 'refusing';
  const { counted, reporter, spool } = bench(path, ledger, FIRST);
  counted.push(entry(10));
  await reporter.stop();
  assert.equal(await spool.size(), 0);
});

test('UsageSpool is bounded, gives up the oldest, and skips what cannot be read', async (t) => {
  const path = await folder(t);
  const spool = new UsageSpool(path, 3);
  const givenUp: number[] = [];
  for (let sequence = 1; sequence <= 5; sequence++) {
    givenUp.push(await spool.add({ incarnation: FIRST, sequence, entries: [entry(sequence)] }));
  }
  assert.deepEqual(givenUp, [0, 0, 0, 1, 1]);
  await writeFile(join(path, '00.json'), '{"half');
  const reopened = new UsageSpool(path, 3);
  assert.equal((await reopened.first())?.sequence, 3);
  await reopened.removeFirst();
  assert.equal((await reopened.first())?.sequence, 4);
});

test('UsageReporter says when it took the counts and for how long they were counted, the same in all parts', async (t) => {
  const ledger = new FakeLedger();
  const seen: UsageRequest[] = [];
  const usage = (report: UsageRequest) => {
    seen.push(report);
    return ledger.usage(report);
  };
  const { clock, counted, reporter } = bench(await folder(t), Object.assign(new FakeLedger(), { usage }), FIRST);
  const startedAtMs = clock.now();
  reporter.start();
  counted.push(...Array.from({ length: 1001 }, (_, index) => entry(1, index + 1)));
  clock.advance(1000);
  await eventually(() => seen.length === 2);
  counted.push(entry(1));
  clock.advance(60_000);
  await eventually(() => seen.length === 3);
  const at = (afterMs: number) => new Date(startedAtMs + afterMs).toISOString();
  assert.deepEqual(
    seen.map(({ taken_at, interval_ms }) => [taken_at, interval_ms]),
    [
      [at(1000), 1000],
      [at(1000), 1000],
      [at(61_000), 60_000],
    ],
  );
  await reporter.stop();
});

test('UsageReporter asks for those who are cut off though nothing was counted, and does not keep questions', async (t) => {
  const ledger = new FakeLedger();
  const { clock, reported, asking, spool, reporter } = bench(await folder(t), ledger, FIRST);
  asking.user_ids.push(100_000_001);
  reporter.start();
  clock.advance(1000);
  await eventually(() => reported.length === 1 && clock.pending === 1);
  assert.deepEqual(ledger.last?.asking, { user_ids: [100_000_001], client_ids: [] });
  ledger.state = 'away';
  clock.advance(60_000);
  await eventually(() => ledger.calls === 2 && clock.pending === 1);
  assert.equal(await spool.size(), 0);
  ledger.state = 'here';
  clock.advance(60_000);
  await eventually(() => reported.length === 2);
  assert.deepEqual(ledger.last?.asking?.user_ids, [100_000_001]);
  await reporter.stop();
});

test('UsageReporter tells the speed of users with a share, and once that one has stopped', async (t) => {
  const ledger = new FakeLedger();
  const { clock, counted, reported, speeds, reporter } = bench(await folder(t), ledger, FIRST);
  reporter.start();
  speeds.set(100_000_001, 3000).set(100_000_002, 0);
  const report = async (ms: number): Promise<UsageRequest['shared']> => {
    const before = reported.length;
    clock.advance(ms);
    await eventually(() => reported.length === before + 1 && clock.pending === 1);
    return ledger.last?.shared;
  };
  assert.deepEqual(await report(1000), [{ user_id: 100_000_001, bytes_per_s: 3000 }]);
  speeds.set(100_000_001, 0);
  assert.deepEqual(await report(60_000), [{ user_id: 100_000_001, bytes_per_s: 0 }]);
  counted.push(entry(500));
  assert.deepEqual(await report(60_000), []);
  await reporter.stop();
});

test("UsageReporter reports at the month's turn", async (t) => {
  const ledger = new FakeLedger();
  const turn = Date.UTC(2026, 1, 1);
  const { clock, counted, reported, reporter } = bench(await folder(t), ledger, FIRST, 100, turn - 71_000);
  reporter.start();
  const steps: [advanceMs: number, takenAt: string, intervalMs: number][] = [
    [1000, '2026-01-31T23:58:50.000Z', 1000],
    [60_000, '2026-01-31T23:59:50.000Z', 60_000],
    [10_000, '2026-02-01T00:00:00.000Z', 10_000],
    [60_000, '2026-02-01T00:01:00.000Z', 60_000],
  ];
  for (const [index, [advanceMs, takenAt, intervalMs]] of steps.entries()) {
    counted.push(entry(1));
    clock.advance(advanceMs);
    await eventually(() => reported.length === index + 1 && clock.pending === 1);
    assert.deepEqual([ledger.last?.taken_at, ledger.last?.interval_ms], [takenAt, intervalMs]);
  }
  await reporter.stop();
});
