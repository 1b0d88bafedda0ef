import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DnsLab, type Row } from './dns-lab.ts';

const DELAYS_S = [60, 120, 240, 480, 960, 1800, 1800, 1800, 1800];

let lab: DnsLab;
before(async () => {
  lab = await DnsLab.start();
});
after(() => lab.stop());

/** Rounded: the statement that asks is made a little later than the one that wrote. */
const dueInS = (row: Row | undefined): number | null =>
  row?.due_in_s === null || row === undefined ? null : Math.ceil(row.due_in_s);

test('a record that cannot be made is tried after 60, 120, 240, 480, 960, 1800 s, ten times, and then waits for retry', async () => {
  const zone = await lab.zone('backoff.example');
  zone.there.put('A', 'taken.backoff.example', '198.51.100.1');
  const id = await zone.want('taken');
  const good = await zone.want('good');
  for (const [tries, delayS] of DELAYS_S.entries()) {
    await zone.run();
    const row = await zone.row(id);
    assert.deepEqual(
      [row?.status, row?.last_error_code, row?.retry_count, dueInS(row)],
      ['error', 'conflict', tries + 1, delayS],
    );
    assert.match(row?.last_error ?? '', /198\.51\.100\.1.*remove them there/);
    assert.equal((await zone.row(good))?.status, 'active', 'one that fails stops no other');
    lab.aheadS += delayS - 2;
    lab.cloudflare.calls = [];
    assert.equal((await zone.reconcile()).kind, 'idle', 'a moment before it is due nothing happens');
    assert.deepEqual(zone.calls(), []);
    lab.aheadS += 3;
  }
  await zone.run();
  assert.deepEqual([(await zone.row(id))?.retry_count, (await zone.row(id))?.due_in_s], [10, null]);
  lab.aheadS += 100_000;
  assert.equal((await zone.reconcile()).kind, 'idle');
  await zone.run('full');
  assert.equal((await zone.row(id))?.retry_count, 10, 'a full pass leaves it alone');
  zone.there.remove(zone.there.records.find(({ comment }) => comment === null)?.id ?? '');
  await zone.retry(id);
  assert.deepEqual([(await zone.row(id))?.retry_count, (await zone.row(id))?.status], [0, 'pending']);
  await zone.run();
  const row = await zone.row(id);
  assert.deepEqual([row?.status, row?.retry_count, row?.last_error], ['active', 0, null]);
});

test('a failed delete backs off in the same way, and the row goes once it has worked', async () => {
  const zone = await lab.zone('delete.example');
  const id = await zone.want('www');
  await zone.run();
  await zone.unwant(id);
  for (const [tries, delayS] of DELAYS_S.slice(0, 6).entries()) {
    lab.cloudflare.setTrouble(
      { kind: 'answer', status: 400, body: '{"errors":[{"code":1,"message":"locked"}]}' },
      1,
      /^POST/,
    );
    await zone.run();
    const row = await zone.row(id);
    assert.deepEqual(
      [row?.status, row?.desired_state, row?.last_error_code, row?.retry_count, dueInS(row)],
      ['error', 'absent', 'rejected', tries + 1, delayS],
    );
    assert.match(row?.last_error ?? '', /locked/);
    lab.aheadS += delayS + 1;
  }
  await zone.run();
  assert.deepEqual([await zone.rows(), zone.there.records], [[], []]);
});

test('an outage never uses up the tries: it backs off to half an hour, and what was asked for comes by itself', async () => {
  const zone = await lab.zone('outage.example');
  const ids = [await zone.want('a'), await zone.want('b')];
  for (const trouble of [{ kind: 'down' }, { kind: 'answer', status: 503 }] as const) {
    lab.cloudflare.setTrouble(trouble);
    for (let i = 0; i < 12; i += 1) {
      await zone.run();
      lab.aheadS += 1801;
    }
    const row = await zone.row(ids[0] ?? 0);
    assert.deepEqual([row?.status, row?.retry_count, row?.last_error_code], ['error', 9, 'unreachable']);
  }
  const { rows } = await lab.database.query('select status, last_error from dns_zones where zone_id = $1', [
    zone.zoneId,
  ]);
  assert.equal(rows[0].status, 'error');
  assert.match(rows[0].last_error, /not working/);
  lab.cloudflare.setTrouble(null);
  await zone.run();
  assert.deepEqual(
    (await zone.rows()).map(({ status, retry_count }) => [status, retry_count]),
    [
      ['active', 0],
      ['active', 0],
    ],
  );
});

test('a token that is refused is an error of every record, and one that works again heals them', async () => {
  const token = lab.cloudflare.addToken();
  const zone = await lab.zone('token.example', { credentialId: await lab.credential(token) });
  const id = await zone.want('www');
  lab.cloudflare.revokeToken(token);
  const run = await zone.run();
  assert.equal(run.status, 'failed');
  const row = await zone.row(id);
  assert.deepEqual([row?.status, row?.last_error_code, dueInS(row)], ['error', 'unauthorized', 60]);
  assert.match(row?.last_error ?? '', /permission Zone \/ DNS \/ Edit/);
  assert.ok(!JSON.stringify(run).includes(token));
});

test('all zones of a credential wait for as long as the provider asks, and no call is made meanwhile', async () => {
  const credentialId = await lab.credential();
  const zones = [];
  for (const domain of ['one.example', 'two.example']) zones.push(await lab.zone(domain, { credentialId }));
  const other = await lab.zone('three.example');
  for (const zone of [...zones, other]) await zone.want('www');
  lab.cloudflare.setTrouble({ kind: 'answer', status: 429, retryAfterS: 900 }, 1);
  lab.cloudflare.calls = [];
  for (const zone of [...zones, other]) await zone.run();
  assert.equal(lab.cloudflare.calls.length, 1 + 3, 'the first zone asks once, the second not at all');
  for (const zone of zones) {
    const [row] = await zone.rows();
    assert.deepEqual([row?.status, row?.last_error_code], ['error', 'rate_limited']);
    assert.ok((row?.due_in_s ?? 0) > 890, `${row?.due_in_s}`);
  }
  assert.equal((await other.rows())[0]?.status, 'active');
  lab.aheadS += 901;
  for (const zone of zones) {
    await zone.run();
    assert.equal((await zone.rows())[0]?.status, 'active');
  }
});

test('the calls of a credential are bounded over its zones before the provider has to refuse any', async () => {
  const credentialId = await lab.credential();
  const [one, two] = [await lab.zone('b1.example', { credentialId }), await lab.zone('b2.example', { credentialId })];
  for (const zone of [one, two]) await zone.want('www');
  await one.run();
  await lab.database.query('update provider_credentials set window_calls = 1199 where credential_id = $1', [
    credentialId,
  ]);
  lab.cloudflare.calls = [];
  await two.run();
  assert.equal(lab.cloudflare.calls.length, 1);
  const [row] = await two.rows();
  assert.deepEqual([row?.status, row?.last_error_code], ['error', 'rate_limited']);
  assert.match(row?.last_error ?? '', /used up for \d+ s/);
  lab.aheadS += 301;
  await two.run();
  assert.equal((await two.rows())[0]?.status, 'active', 'the window is over');
});
