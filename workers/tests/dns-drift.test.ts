import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { DnsPlanItem } from '@tunnox/domain/api/dns';
import { DnsLab } from './dns-lab.ts';

let lab: DnsLab;
before(async () => {
  lab = await DnsLab.start();
});
after(() => lab.stop());

const linesOf = (plan: DnsPlanItem[]): string[] =>
  plan.map(({ action, name, value, outcome }) => `${action} ${name.split('.')[0]} ${value} ${outcome}`).toSorted();

test('what was changed or removed by hand is put back by a full pass, and the run tells it', async () => {
  const zone = await lab.zone('drift.example');
  for (const label of ['removed', 'changed', 'edited', 'stays']) await zone.want(label);
  await zone.run();
  const at = (label: string) => zone.there.records.find(({ name }) => name === `${label}.drift.example`)?.id ?? '';
  zone.there.remove(at('removed'));
  zone.there.change(at('changed'), { ttl: 60 }, false);
  zone.there.change(at('edited'), { content: '198.51.100.66' }, false);
  assert.equal((await zone.reconcile()).kind, 'idle', 'nothing is due');
  const run = await zone.run('full');
  assert.equal(run.status, 'done');
  assert.deepEqual(linesOf(run.plan), [
    'create edited 203.0.113.1 done',
    'create removed 203.0.113.1 done',
    'delete edited 198.51.100.66 done',
    'update changed 203.0.113.1 done',
  ]);
  const notes = Object.fromEntries(run.plan.map(({ action, note }) => [action, note]));
  assert.match(notes['create'] ?? '', /removed at the provider/);
  assert.match(notes['update'] ?? '', /not as desired|changed at the provider/);
  assert.match(notes['delete'] ?? '', /orphan/);
  assert.deepEqual(
    zone.ours(),
    ['changed', 'edited', 'removed', 'stays'].map((label) => `A ${label}.drift.example 203.0.113.1`),
  );
  const again = await zone.run('full');
  assert.deepEqual([again.plan, again.counts, again.providerCalls], [[], { keep: 4 }, 1]);
});

test('records with our mark that nothing wants are removed; those of others, and of a sibling zone, are not', async () => {
  const zone = await lab.zone('orphan.example');
  zone.there.put('A', 'orphan.orphan.example', '203.0.113.1', { comment: `tunnox:${zone.tag} manual` });
  zone.there.put('A', 'foreign.orphan.example', '203.0.113.2');
  zone.there.put('A', 'noted.orphan.example', '203.0.113.3', { comment: 'made with tunnox' });
  zone.there.put('A', 'sibling.orphan.example', '203.0.113.4', { comment: 'tunnox:abcdefghijkl manual' });
  await zone.want('ours');
  await zone.run();
  assert.equal(zone.there.records.length, 5, 'a run for what is due lets orphans be');
  await zone.run('full');
  assert.deepEqual(zone.there.records.map(({ name }) => name.split('.')[0]).toSorted(), [
    'foreign',
    'noted',
    'ours',
    'sibling',
  ]);
});

test('an orphan in the way of a record that is due goes with it', async () => {
  const zone = await lab.zone('way.example');
  zone.there.put('CNAME', 'www.way.example', 'old.example.com', { comment: `tunnox:${zone.tag} manual` });
  await zone.want('www');
  assert.equal((await zone.run()).status, 'done');
  assert.deepEqual(zone.ours(), ['A www.way.example 203.0.113.1']);
});

test('two owners have a TXT value each at one name, and each goes alone', async () => {
  const zone = await lab.zone('acme.example');
  const txt = { type: 'TXT', ownerType: 'acme_challenge', ttl: 60 } as const;
  const first = await zone.want('_acme-challenge', 'first', txt);
  await zone.want('_acme-challenge', 'second', txt);
  zone.there.put('TXT', '_acme-challenge.acme.example', '"theirs"');
  await zone.run();
  const values = () => zone.there.records.map(({ content }) => content).toSorted();
  assert.deepEqual(values(), ['"first"', '"second"', '"theirs"']);
  await zone.unwant(first);
  await zone.run();
  assert.deepEqual(values(), ['"second"', '"theirs"']);
});

test('the guard refuses an unusual change until its very plan is confirmed', async () => {
  const zone = await lab.zone('guard.example');
  await zone.wantMany(30);
  await zone.wantMany(30, 'relay', 'node_group');
  await zone.run();
  const ids = (await zone.rows()).map(({ id }) => id);
  const [manual, relays] = [ids.slice(0, 30), ids.slice(30)];
  await zone.unwant(...relays, ...manual.slice(0, 12));
  const refused = await zone.run();
  assert.equal(refused.status, 'refused');
  assert.match(refused.error ?? '', /change or delete 12 of 30 records.*dry_run=true/);
  assert.equal(zone.there.records.length, 30, 'records that follow relays are not held up by it');
  const held = (await zone.rows()).filter(({ desired_state }) => desired_state === 'absent');
  assert.ok(held.length === 12 && held.every(({ last_error_code }) => last_error_code === 'held'));
  assert.ok(held.every(({ due_in_s, retry_count }) => (due_in_s ?? 0) > 500 && retry_count === 0));

  const shown = await zone.run('dry_run');
  assert.equal(shown.status, 'refused');
  assert.match(shown.error ?? '', new RegExp(`confirm=${shown.planHash}`));
  assert.equal((await zone.run('asked')).status, 'refused');
  assert.equal((await zone.run('asked', { confirm: '0'.repeat(64) })).status, 'refused');
  await zone.unwant(manual[12] ?? 0);
  assert.equal(
    (await zone.run('asked', { confirm: shown.planHash ?? '' })).status,
    'refused',
    'it is another plan now',
  );
  const now = await zone.run('dry_run');
  assert.equal((await zone.run('asked', { confirm: now.planHash ?? '' })).status, 'done');
  assert.equal(zone.there.records.length, 17);
  await zone.unwant(...manual.slice(13, 18));
  assert.equal((await zone.run()).status, 'done', 'ten at once are always allowed');
});

test('a dry run changes nothing anywhere, and tells what would be done', async () => {
  const zone = await lab.zone('dry.example');
  const gone = await zone.want('gone');
  await zone.run();
  await zone.unwant(gone);
  await zone.want('new');
  zone.there.put('A', 'taken.dry.example', '198.51.100.1');
  await zone.want('taken');
  const before = await zone.rows();
  lab.cloudflare.calls = [];
  const run = await zone.run('dry_run');
  assert.deepEqual(linesOf(run.plan), [
    'conflict taken 203.0.113.1 planned',
    'create new 203.0.113.1 planned',
    'delete gone 203.0.113.1 planned',
  ]);
  assert.deepEqual(lab.cloudflare.writes, []);
  // Time goes on.
  const still = (row: (typeof before)[number]) => ({ ...row, due_in_s: null });
  assert.deepEqual((await zone.rows()).map(still), before.map(still));
  lab.cloudflare.setTrouble({ kind: 'down' }, 1);
  assert.equal((await zone.run('dry_run')).status, 'failed');
  assert.deepEqual((await zone.rows()).map(still), before.map(still), 'also when it fails');
});

test('adopt=identical takes over what is there just as desired, and nothing else', async () => {
  const zone = await lab.zone('adopt.example');
  zone.there.put('A', 'same.adopt.example', '203.0.113.1');
  zone.there.put('A', 'other.adopt.example', '198.51.100.1');
  const [same, other] = [await zone.want('same'), await zone.want('other')];
  await zone.run();
  assert.deepEqual(
    (await zone.rows()).map(({ last_error_code }) => last_error_code),
    ['conflict', 'conflict'],
  );
  await zone.run('asked', { adoptIdentical: true });
  assert.deepEqual([(await zone.row(same))?.status, (await zone.row(other))?.status], ['active', 'error']);
  assert.deepEqual(zone.ours(), ['A same.adopt.example 203.0.113.1']);
  assert.equal(zone.there.records.length, 2);
});

test('policies: upsert_only deletes nothing, dry_run changes nothing', async () => {
  const upsert = await lab.zone('upsert.example', { policy: 'upsert_only' });
  const id = await upsert.want('www');
  await upsert.run();
  await upsert.unwant(id);
  await upsert.want('new');
  upsert.there.put('A', 'orphan.upsert.example', '203.0.113.1', { comment: `tunnox:${upsert.tag}` });
  const run = await upsert.run('full');
  assert.deepEqual(linesOf(run.plan), [
    'create new 203.0.113.1 done',
    'delete orphan 203.0.113.1 held',
    'delete www 203.0.113.1 held',
  ]);
  assert.equal(upsert.there.records.length, 3);
  assert.match((await upsert.row(id))?.last_error ?? '', /upsert_only/);

  const dry = await lab.zone('held.example', { policy: 'dry_run' });
  await dry.want('www');
  lab.cloudflare.calls = [];
  assert.deepEqual(linesOf((await dry.run()).plan), ['create www 203.0.113.1 held']);
  assert.deepEqual([lab.cloudflare.writes, dry.there.records], [[], []]);
});

test('a record that is wanted again while it waits for its deletion stays, under the same id', async () => {
  const zone = await lab.zone('again.example');
  const id = await zone.want('www');
  await zone.run();
  const [before] = zone.there.records;
  await zone.unwant(id);
  assert.equal(await zone.want('www'), id);
  await zone.run();
  assert.deepEqual([zone.there.records[0]?.id, (await zone.row(id))?.status], [before?.id, 'active']);
  // Wanted again in the very moment in which the provider deletes it.
  await zone.unwant(id);
  let wanted = false;
  lab.cloudflare.setBefore(async ({ method }) => {
    if (method !== 'POST' || wanted) return;
    wanted = true;
    await zone.want('www');
  });
  await zone.run();
  lab.cloudflare.setBefore(null);
  assert.deepEqual([zone.there.records.length, (await zone.row(id))?.status], [0, 'pending']);
  await zone.run();
  assert.deepEqual([zone.there.records.length, (await zone.row(id))?.status], [1, 'active']);
});
