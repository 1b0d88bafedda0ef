import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { DesiredRecord } from '@tunnox/dns-plan/plan';
import { needs } from '@tunnox/testing/needs';
import { openAccess } from '../src/dns-sync/zone-opener.ts';
import { ProviderError, type ProviderErrorKind } from '../src/dns-sync/zone-provider.ts';
import {
  apply,
  cloudflareWorld,
  kindsOf,
  openerOf,
  openZone,
  OTHER_TAG,
  powerDnsWorld,
  type ProviderWorld,
  sync,
  wish,
} from './dns-provider-worlds.ts';

const SIGNAL = AbortSignal.timeout(300_000);

const isProviderError = (kind: ProviderErrorKind, message: RegExp) => (error: unknown) =>
  error instanceof ProviderError && error.kind === kind && message.test(error.message);

/** What every provider does in the same way. */
function contract(start: () => Promise<ProviderWorld>, skip: string | false): void {
  let world: ProviderWorld;
  let zones = 0;
  before(async () => {
    if (skip === false) world = await start();
  });
  after(() => world?.stop());

  async function newZone(): Promise<string> {
    zones += 1;
    const domain = `zone${zones}.example`;
    await world.addZone(domain);
    return domain;
  }

  test('records of all types come to be as they were asked for, and the next plan is empty', { skip }, async () => {
    const domain = await newZone();
    const provider = await openZone(world, domain);
    const odd = `${'x'.repeat(300)} "quoted" back\\slash grün`;
    const rows = [
      wish('A', domain, '203.0.113.1'),
      wish('A', `a.b.${domain}`, '203.0.113.2'),
      wish('A', `a.b.${domain}`, '203.0.113.3'),
      wish('A', `*.wild.${domain}`, '203.0.113.4'),
      wish('AAAA', `a.b.${domain}`, '2001:db8::7'),
      wish('CNAME', `www.${domain}`, `a.b.${domain}`),
      wish('TXT', `_acme-challenge.${domain}`, 'one'),
      wish('TXT', `_acme-challenge.${domain}`, 'two'),
      wish('TXT', `odd.${domain}`, odd),
      wish('A', `auto.${domain}`, '203.0.113.5', { ttl: 1 }),
    ];
    const { applied } = await sync(provider, rows);
    assert.equal(applied.stopped, null);
    assert.ok(applied.outcomes.every(({ kind }) => kind === 'done'));
    const listed = (await provider.list(SIGNAL)).filter(({ owned }) => owned);
    const texts = (list: { type: string; name: string; value: string }[]) =>
      list.map(({ type, name, value }) => `${type} ${name} ${value}`).toSorted();
    assert.deepEqual(texts(listed), texts(rows));
    const again = await openZone(world, domain);
    assert.deepEqual((await sync(again, rows)).applied.outcomes, []);
    assert.deepEqual(await world.there(domain, 'A', `a.b.${domain}`), ['203.0.113.2 300', '203.0.113.3 300']);
    assert.deepEqual(await world.there(domain, 'AAAA', `a.b.${domain}`), ['2001:db8::7 300']);
    const found = await again.find([`a.b.${domain}`, `nobody.${domain}`], SIGNAL);
    assert.deepEqual(texts(found), texts(rows.filter(({ name }) => name === `a.b.${domain}`)));
    assert.ok(found.every(({ owned }) => owned));
  });

  test(
    'a changed record is updated, a removed one is put back, an orphan and what shall be absent go',
    { skip },
    async () => {
      const domain = await newZone();
      const provider = await openZone(world, domain);
      const [stay, change, lose, orphan, leave] = ['stay', 'change', 'lose', 'orphan', 'leave'].map((label) =>
        wish('A', `${label}.${domain}`, '203.0.113.1'),
      ) as [DesiredRecord, DesiredRecord, DesiredRecord, DesiredRecord, DesiredRecord];
      await sync(provider, [stay, change, lose, orphan, leave]);
      await world.wipe(domain, 'A', lose.name);
      const rows = [stay, { ...change, ttl: 600 }, lose, { ...leave, state: 'absent' as const }];
      const { plan } = await sync(provider, rows);
      const wanted = ['adopt stay', 'update change', 'create lose', 'delete orphan', 'delete leave'];
      assert.deepEqual(kindsOf(plan), wanted.map((text) => `${text}.${domain}`).toSorted());
      assert.deepEqual(await world.there(domain, 'A', change.name), ['203.0.113.1 600']);
      assert.deepEqual(await world.there(domain, 'A', lose.name), ['203.0.113.1 300']);
      for (const { name } of [orphan, leave]) assert.deepEqual(await world.there(domain, 'A', name), []);
    },
  );

  test('records of others are never touched, and say why ours cannot be made', { skip }, async () => {
    const domain = await newZone();
    await world.foreign(domain, 'A', `same.${domain}`, '198.51.100.1');
    await world.foreign(domain, 'A', `other.${domain}`, '198.51.100.2');
    await world.foreign(domain, 'TXT', `alias.${domain}`, 'theirs');
    await world.foreign(domain, 'A', `alone.${domain}`, '198.51.100.3', 77);
    const provider = await openZone(world, domain);
    const rows = [
      wish('A', `same.${domain}`, '198.51.100.1'),
      wish('A', `other.${domain}`, '203.0.113.9'),
      wish('CNAME', `alias.${domain}`, 'elsewhere.example.com'),
      wish('A', `alone.${domain}`, '198.51.100.3', { state: 'absent' }),
    ];
    const { plan, applied } = await sync(provider, rows);
    assert.deepEqual(applied.outcomes, []);
    assert.deepEqual(plan.map((item) => (item.kind === 'conflict' ? item.reason : item.kind)).toSorted(), [
      'cname_beside_others',
      'exists',
      'gone',
      'other_values',
    ]);
    assert.deepEqual(await world.there(domain, 'A', `alone.${domain}`), ['198.51.100.3 77']);
    const adopted = await sync(provider, rows.slice(0, 1), { adoptIdentical: true });
    assert.deepEqual(kindsOf(adopted.plan), [`update same.${domain}`]);
    assert.deepEqual(kindsOf((await sync(provider, rows.slice(0, 1))).plan), [`adopt same.${domain}`]);
  });

  test('values of several owners share a TXT name, and none loses what is its own', { skip }, async () => {
    const domain = await newZone();
    const name = `_acme-challenge.${domain}`;
    await world.foreign(domain, 'TXT', name, 'theirs', 120);
    const [ours, others] = [await openZone(world, domain), await openZone(world, domain, OTHER_TAG)];
    const [first, second] = [wish('TXT', name, 'first', { ttl: 60 }), wish('TXT', name, 'second', { ttl: 60 })];
    const third = wish('TXT', name, 'third', { ttl: 60 });
    await sync(ours, [first, second]);
    await sync(others, [third], { tag: OTHER_TAG });
    const values = async () => (await world.there(domain, 'TXT', name)).map((text) => text.split(' ')[0]);
    assert.deepEqual(await values(), ['"first"', '"second"', '"theirs"', '"third"']);
    assert.equal((await world.there(domain, 'TXT', name)).filter((text) => text === '"theirs" 120').length, 1);
    assert.deepEqual((await sync(ours, [first, second])).applied.outcomes, [], 'nothing flaps');
    assert.deepEqual((await sync(others, [third], { tag: OTHER_TAG })).applied.outcomes, []);
    await sync(ours, [{ ...first, state: 'absent' }, second]);
    assert.deepEqual(await values(), ['"second"', '"theirs"', '"third"']);
    await sync(ours, []);
    await sync(others, [], { tag: OTHER_TAG });
    assert.deepEqual(await world.there(domain, 'TXT', name), ['"theirs" 120']);
  });

  test('what excludes another takes its place in one batch', { skip }, async () => {
    const domain = await newZone();
    const name = `swap.${domain}`;
    const provider = await openZone(world, domain);
    const [address, alias] = [wish('A', name, '203.0.113.1'), wish('CNAME', name, 'elsewhere.example.com')];
    await sync(provider, [address]);
    for (const [gone, made] of [
      [address, alias],
      [alias, address],
    ] as const) {
      const { applied } = await sync(provider, [{ ...gone, state: 'absent' }, made]);
      assert.deepEqual(
        applied.outcomes.map(({ kind }) => kind),
        ['done', 'done'],
      );
      assert.equal((await world.there(domain, made.type, name)).length, 1);
      assert.deepEqual(await world.there(domain, gone.type, name), []);
    }
  });

  test('of a batch with a bad record nothing is done; the others pass without it', { skip }, async () => {
    const domain = await newZone();
    const provider = await openZone(world, domain);
    await world.foreign(domain, 'A', `taken.${domain}`, '198.51.100.1');
    const create = (type: 'A' | 'CNAME', label: string, value: string) => ({
      kind: 'create' as const,
      record: { type, name: `${label}.${domain}`, value, ttl: 300, proxied: null, comment: 'tunnox:abcdefghijkl' },
    });
    const changes = Array.from({ length: 20 }, (_, i) => create('A', `n${i}`, '203.0.113.1'));
    changes.splice(7, 0, create('CNAME', 'taken', 'elsewhere.example.com'));
    await assert.rejects(provider.applyBatch(changes, SIGNAL), isProviderError('rejected', /./));
    assert.equal((await provider.list(SIGNAL)).filter(({ owned }) => owned).length, 0);
    const { outcomes, stopped } = await apply(provider, changes);
    assert.equal(stopped, null);
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      changes.map((_, i) => (i === 7 ? 'failed' : 'done')),
    );
    assert.equal((await provider.list(SIGNAL)).filter(({ owned }) => owned).length, 20);
    assert.deepEqual(await world.there(domain, 'A', `taken.${domain}`), ['198.51.100.1 300']);
  });

  test('a zone of thousands is listed whole, and changed in batches', { skip }, async () => {
    const domain = await newZone();
    const provider = await openZone(world, domain);
    const rows = Array.from({ length: 2500 }, (_, i) => wish('A', `h${i}.${domain}`, `10.1.${i >> 8}.${i & 255}`));
    const { applied } = await sync(provider, rows);
    assert.ok(applied.outcomes.every(({ kind }) => kind === 'done'));
    const { plan } = await sync(await openZone(world, domain), rows);
    assert.deepEqual([plan.length, plan.every(({ kind }) => kind === 'adopt')], [2500, true]);
    await sync(
      provider,
      rows.map((row) => ({ ...row, state: 'absent' as const })),
    );
    assert.equal((await provider.list(SIGNAL)).filter(({ owned }) => owned).length, 0);
  });

  test('what is wrong is told in a sentence, and no token is in it', { skip }, async () => {
    const domain = await newZone();
    const { kind: provider, endpoint, token } = world;
    const open = async (credential: object, zone: { domain: string; id: string | null }) => {
      const { access, driver } = await openAccess(openerOf({ provider, endpoint, token, ...credential }), 1);
      return await driver.findZone(access, zone, SIGNAL);
    };
    const wrong = 'w'.repeat(40);
    await assert.rejects(open({ token: wrong }, { domain, id: null }), (error: Error) => {
      assert.ok(isProviderError('unauthorized', /does not accept this token|does not accept the key/)(error));
      return !error.message.includes(wrong);
    });
    await assert.rejects(
      open({}, { domain: 'missing.example', id: null }),
      isProviderError('zone_missing', /missing\.example/),
    );
    const id = await open({}, { domain, id: null });
    assert.equal(await open({}, { domain, id }), id);
    await assert.rejects(open({}, { domain, id: '0'.repeat(32) }), isProviderError('zone_missing', /zone/));
    await world.foreign(domain, 'A', `www.${domain}`, '198.51.100.1');
    await assert.rejects(
      open({}, { domain: 'another.example', id }),
      isProviderError('zone_missing', /another\.example/),
    );
    await world.pause();
    await assert.rejects(open({}, { domain, id: null }), isProviderError('unreachable', /cannot be reached/));
    await world.resume();
    assert.equal(await open({}, { domain, id: null }), id);
  });
}

suite('Cloudflare', () => contract(cloudflareWorld, false));
suite('PowerDNS', () => contract(powerDnsWorld, needs('pdns_server')));
