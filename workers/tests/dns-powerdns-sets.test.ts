import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { needs } from '@tunnox/testing/needs';
import type { PowerDnsFixture, RrSet } from '@tunnox/testing/powerdns';
import { openAccess } from '../src/dns-sync/zone-opener.ts';
import { ProviderError } from '../src/dns-sync/zone-provider.ts';
import { apply, openerOf, openZone, powerDnsWorld, type ProviderWorld, sync, wish } from './dns-provider-worlds.ts';

const SIGNAL = AbortSignal.timeout(120_000);

suite('sets of PowerDNS', { skip: needs('pdns_server') }, () => {
  let world: ProviderWorld & { dns: PowerDnsFixture };
  before(async () => {
    world = await powerDnsWorld();
  });
  after(() => world?.stop());

  const put = async (domain: string, set: Partial<RrSet> & { name: string; type: string }): Promise<void> => {
    const rrset = { ttl: 300, changetype: 'REPLACE', records: [], comments: [], ...set };
    const { status, body } = await world.dns.call('PATCH', `/zones/${domain}.`, { rrsets: [rrset] });
    assert.equal(status, 204, JSON.stringify(body));
  };
  const setOf = async (domain: string, name: string, type: string): Promise<RrSet | undefined> =>
    (await world.dns.records(domain)).find((set) => set.name === name && set.type === type);

  test('comments of people and records that are switched off survive every change beside them', async () => {
    const domain = 'kept.example';
    await world.addZone(domain);
    const name = `www.${domain}.`;
    const off = { content: '198.51.100.9', disabled: true };
    const note = { content: 'call Ada first', account: 'ada' };
    await put(domain, { name, type: 'A', records: [off], comments: [note] });
    const provider = await openZone(world, domain);
    const [one, two] = [wish('A', `www.${domain}`, '203.0.113.1'), wish('A', `www.${domain}`, '203.0.113.2')];
    for (const rows of [[one], [one, two], [two], [{ ...two, ttl: 600 }], []]) {
      await sync(provider, rows);
      const set = await setOf(domain, name, 'A');
      assert.ok(
        set?.records.some(({ content, disabled }) => disabled && content === off.content),
        JSON.stringify(set),
      );
      assert.ok(set?.comments?.some(({ content, account }) => content === note.content && account === note.account));
      assert.equal(set?.records.length, rows.length + 1);
    }
    // A zone that is opened anew and asked for one name only knows of them as well.
    const again = await openZone(world, domain);
    await again.find([`www.${domain}`], SIGNAL);
    const record = { ...one, comment: 'tunnox:abcdefghijkl manual' };
    assert.equal((await apply(again, [{ kind: 'create', record }])).outcomes[0]?.kind, 'done');
    assert.equal((await setOf(domain, name, 'A'))?.records.length, 2);
  });

  test('what others put into a set after it was listed is not lost, and what they take over is left to them', async () => {
    const domain = 'meanwhile.example';
    await world.addZone(domain);
    const provider = await openZone(world, domain);
    const text = `text.${domain}`;
    const rows = [wish('TXT', text, 'ours'), wish('A', `web.${domain}`, '203.0.113.1')];
    await sync(provider, rows);
    const listed = await provider.list(SIGNAL);
    await world.foreign(domain, 'TXT', text, 'theirs');
    const ours = listed.find(({ type, owned }) => type === 'TXT' && owned);
    const web = listed.find(({ type, owned }) => type === 'A' && owned);
    assert.ok(ours !== undefined && web !== undefined);
    await provider.applyBatch([{ kind: 'delete', actual: ours }], SIGNAL);
    assert.deepEqual(await world.there(domain, 'TXT', text), ['"theirs" 300']);
    // Somebody removes our comment: the record is theirs from now on.
    await put(domain, { name: `web.${domain}.`, type: 'A', records: [{ content: '203.0.113.1', disabled: false }] });
    const isRefused = (error: unknown) => error instanceof ProviderError && error.kind === 'rejected';
    await assert.rejects(provider.applyBatch([{ kind: 'delete', actual: web }], SIGNAL), isRefused);
    assert.equal((await setOf(domain, `web.${domain}.`, 'A'))?.records.length, 1);
    // A name that was free when it was listed.
    await world.foreign(domain, 'A', `new.${domain}`, '198.51.100.1');
    const record = { ...wish('A', `new.${domain}`, '203.0.113.5'), comment: 'tunnox:abcdefghijkl manual' };
    await assert.rejects(provider.applyBatch([{ kind: 'create', record }], SIGNAL), isRefused);
    assert.deepEqual(await world.there(domain, 'A', `new.${domain}`), ['198.51.100.1 300']);
  });

  test('a comment of a person that looks like ours is not', async () => {
    const domain = 'alike.example';
    await world.addZone(domain);
    const records = [{ content: '198.51.100.1', disabled: false }];
    const comments = [{ content: 'was tunnox:abcdefghijkl | 198.51.100.1', account: 'ada' }];
    await put(domain, { name: `www.${domain}.`, type: 'A', records, comments });
    const provider = await openZone(world, domain);
    assert.ok((await provider.list(SIGNAL)).every(({ owned }) => !owned));
  });

  test('a large change reads the zone once for each batch', async () => {
    const domain = 'calls.example';
    await world.addZone(domain);
    let calls = 0;
    const counted: typeof fetch = (input, init) => {
      calls += 1;
      return fetch(input, init);
    };
    const { kind: provider, token, endpoint } = world;
    const { access, driver } = await openAccess(openerOf({ provider, token, endpoint }, { fetch: counted }), 1);
    const zone = driver.open(access, { domain, providerZoneId: `${domain}.`, tag: 'abcdefghijkl' });
    await sync(
      zone,
      Array.from({ length: 400 }, (_, i) => wish('A', `h${i}.${domain}`, '203.0.113.1')),
    );
    assert.equal(calls, 3);
  });
});

test('a PowerDNS without comments, and something that is none, are refused with the reason', async (t) => {
  let answer = JSON.stringify([{ name: 'launch', value: 'bind' }]);
  const server = createServer((_, response) => response.setHeader('content-type', 'application/json').end(answer));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const { access, driver } = await openAccess(openerOf({ provider: 'powerdns', token: 'x', endpoint }), 1);
  const find = () => driver.findZone(access, { domain: 'example.com', id: null }, SIGNAL);
  await assert.rejects(find(), /keeps no comments \(backend 'bind'\).*gsqlite3/);
  answer = '<html>a web page</html>';
  await assert.rejects(find(), /not the API of PowerDNS: check the endpoint/);
});
