import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { DnsLab } from './dns-lab.ts';

const RECORDS = 10_000;
/** An isolate has 128 MB in all; the runner's own part is not counted here. */
const HEAP_GROWTH_MAX = 100 * 1024 * 1024;

let lab: DnsLab;
before(async () => {
  lab = await DnsLab.start();
});
after(() => lab.stop());

test('10 000 records in one zone: listed in pages, changed in batches, with calls that are counted', async (t: TestContext) => {
  const zone = await lab.zone('large.example');
  await zone.wantMany(RECORDS);
  const heapBefore = process.memoryUsage().heapUsed;
  let heapMax = 0;
  let runningMax = 0;
  lab.cloudflare.setBefore(async ({ path }) => {
    heapMax = Math.max(heapMax, process.memoryUsage().heapUsed);
    if (!path.endsWith('/batch')) return;
    const { rows } = await lab.database.query(
      "select count(*)::int as n from domain_dns_records where status = 'running'",
    );
    runningMax = Math.max(runningMax, rows[0].n);
  });
  const measured = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    lab.cloudflare.calls = [];
    const since = performance.now();
    const result = await work();
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    const reads = zone.calls().filter(({ method }) => method === 'GET').length;
    t.diagnostic(`${what}: ${seconds} s, ${reads} listings, ${zone.calls().length - reads} batches`);
    return result;
  };
  const made = await measured(`${RECORDS} creates`, () => zone.run('full'));
  assert.deepEqual([made.status, made.counts['done'], made.providerCalls], ['done', RECORDS, 102]);
  assert.equal(runningMax, 100, 'rows are running in chunks');
  assert.equal(zone.there.records.length, RECORDS);

  const idle = await measured('a full pass without drift', () => zone.run('full'));
  assert.deepEqual([idle.counts, idle.providerCalls], [{ keep: RECORDS }, 10]);

  await zone.want('one-more');
  const one = await measured('one record more', () => zone.run());
  assert.equal(one.providerCalls, 2, 'its name is asked for, not the zone');

  lab.cloudflare.setBefore(null);
  for (const { id } of zone.there.records.slice(0, 100)) zone.there.change(id, { ttl: 60 }, false);
  const drift = await measured('a full pass with 100 drifts', () => zone.run('full'));
  assert.deepEqual([drift.counts['update'], drift.providerCalls], [100, 12]);

  await lab.database.query(
    "update domain_dns_records set desired_state = 'absent', status = 'pending', next_retry_at = now() where zone_id = $1",
    [zone.zoneId],
  );
  const plan = await zone.run('dry_run');
  const gone = await measured(`${RECORDS + 1} deletes`, () => zone.run('asked', { confirm: plan.planHash ?? '' }));
  assert.equal(gone.status, 'partial', 'a run has 10 000 changes at the most');
  await zone.run();
  assert.deepEqual([await zone.rows(), zone.there.records], [[], []]);
  const growth = heapMax - heapBefore;
  t.diagnostic(`heap: at most ${Math.round(growth / 1024 / 1024)} MB more, the provider's own records among them`);
  assert.ok(growth < HEAP_GROWTH_MAX * 2);
});
