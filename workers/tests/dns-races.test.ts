import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import type { CloudflareTrouble } from '@tunnox/testing/cloudflare-fake';
import { DnsLab, type LabZone } from './dns-lab.ts';

let lab: DnsLab;
before(async () => {
  lab = await DnsLab.start();
});
after(() => lab.stop());

/** A run that finds the zone taken looks again, as the zone's object does. */
async function insist(work: () => Promise<{ kind: string }>): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if ((await work()).kind !== 'busy') return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('The zone was taken all the time');
}

const wanted = async (zone: LabZone): Promise<string[]> =>
  (await zone.rows())
    .filter(({ desired_state }) => desired_state === 'present')
    .map(({ type, name, value }) => `${type} ${name} ${value}`)
    .toSorted();

test('two control planes over one zone: no duplicate, nothing flaps, calls are bounded', async (t: TestContext) => {
  const zone = await lab.zone('planes.example');
  zone.there.put('A', 'foreign.planes.example', '198.51.100.1');
  const planes = [lab.plane(), lab.plane()];
  lab.cloudflare.calls = [];
  const outcomes: string[] = [];
  // The guard does not count them.
  const relays = { ownerType: 'node_group' } as const;
  let live: number[] = [];
  for (let round = 0; round < 12; round += 1) {
    const work = [...planes, ...planes].map(async (plane, index) => {
      const kind = index === 3 ? 'full' : 'due';
      await insist(async () => {
        const outcome = await zone.reconcile({ kind }, plane);
        outcomes.push(outcome.kind);
        return outcome;
      });
    });
    const change = (async () => {
      const made = await Promise.all(
        Array.from({ length: 15 }, (_, i) => zone.want(`r${round}-${i}`, '203.0.113.1', relays)),
      );
      await zone.unwant(...live.slice(0, 8));
      live = [...live.slice(8), ...made];
    })();
    await Promise.all([...work, change]);
  }
  await zone.reconcile();
  assert.deepEqual(zone.ours(), await wanted(zone));
  assert.equal(zone.there.records.length, zone.ours().length + 1);
  const made = lab.cloudflare.writes.length;
  const ran = outcomes.filter((kind) => kind === 'ran').length;
  t.diagnostic(`${ran} runs, ${lab.cloudflare.calls.length} calls, ${made} of them changes`);
  assert.ok(lab.cloudflare.calls.length <= 2 * (ran + 1) + 1, 'a listing and a batch for each run');
  lab.cloudflare.calls = [];
  for (const plane of planes) assert.equal((await zone.reconcile({}, plane)).kind, 'idle');
  for (const plane of planes) await zone.reconcile({ kind: 'full' }, plane);
  assert.deepEqual(lab.cloudflare.writes, [], 'nothing is left to be done by either');
});

test('a run that sleeps in the middle loses its lease: what it wakes up to write does nothing', async () => {
  const zone = await lab.zone('fence.example');
  const ids = [await zone.want('one'), await zone.want('two')];
  let letGo = () => {};
  const asleep = new Promise<void>((reached) => {
    lab.cloudflare.setBefore(async ({ method }) => {
      if (method !== 'POST') return;
      lab.cloudflare.setBefore(null);
      reached();
      await new Promise<void>((resolve) => (letGo = resolve));
    });
  });
  const sleeper = zone.reconcile({}, lab.plane());
  await asleep;
  const two = lab.plane();
  assert.deepEqual(
    (await zone.rows()).map(({ status }) => status),
    ['running', 'running'],
  );
  assert.equal((await zone.reconcile({ kind: 'full' }, two)).kind, 'busy');
  // Its lease ends; somebody else takes the rows back, and one is not wanted any more.
  lab.aheadS += 61;
  await zone.unwant(ids[1] ?? 0);
  assert.equal((await zone.reconcile({}, two)).kind, 'ran');
  const before = [zone.ours(), (await zone.rows()).map(({ status }) => status)];
  assert.deepEqual(before, [['A one.fence.example 203.0.113.1'], ['active']]);
  letGo();
  assert.equal((await sleeper).kind, 'lost');
  assert.deepEqual(
    (await zone.rows()).map(({ status }) => status),
    ['active'],
  );
  await zone.run('full');
  assert.deepEqual(zone.ours(), before[0], 'and nothing of it is left at the provider');
  assert.deepEqual(
    (await zone.runs()).map(({ status, error }) => `${status} ${error ?? ''}`.trim()),
    ['failed The run was cut short', 'done', 'done'],
  );
});

test('rows that a run has left which died are taken back when its lease ends, also those that were at rest', async () => {
  const zone = await lab.zone('died.example');
  await zone.want('rest');
  await zone.run('full');
  await zone.want('new');
  zone.there.remove(zone.there.records[0]?.id ?? '');
  // It dies as a process does: nothing that comes after the call is done, not even the end of the lease.
  const dead = new Error('killed');
  const plane = lab.plane({
    opener: {
      fetch: (input, init) => (init?.method === 'POST' ? Promise.reject(dead) : fetch(input, init)),
    },
    zones: (zones) => ({ ...zones, write: () => Promise.reject(dead), release: () => Promise.reject(dead) }),
  });
  await assert.rejects(zone.reconcile({ kind: 'full' }, plane));
  assert.deepEqual(
    (await zone.rows()).map(({ status }) => status),
    ['running', 'running'],
  );
  assert.equal((await zone.reconcile()).kind, 'idle', 'until then they may be in good hands');
  lab.aheadS += 61;
  await zone.run();
  assert.deepEqual(
    (await zone.rows()).map(({ status }) => status),
    ['active', 'active'],
  );
  assert.equal(zone.ours().length, 2);
});

test('whatever goes wrong at the provider and when: it converges, nothing foreign is touched, nothing is lost', async (t) => {
  const seed = Number(process.env['FUZZ_SEED'] ?? 42);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >> 8) % below;
  };
  t.diagnostic(`seed ${seed}`);
  const zone = await lab.zone('chaos.example');
  zone.there.put('A', 'foreign.chaos.example', '198.51.100.1');
  zone.there.put('TXT', 'shared.chaos.example', '"theirs"');
  const foreign = JSON.stringify(zone.there.records);
  const troubles: CloudflareTrouble[] = [
    { kind: 'down' },
    { kind: 'cut' },
    { kind: 'half' },
    { kind: 'answer', status: 500 },
    { kind: 'answer', status: 502, body: '<html>' },
    { kind: 'answer', status: 429, retryAfterS: 5 },
    { kind: 'answer', status: 400, body: '{"errors":[{"code":1,"message":"for no reason"}]}' },
  ];
  let live: number[] = [];
  for (let round = 0; round < 40; round += 1) {
    for (let i = random(6); i > 0; i -= 1) {
      const type = random(3) === 0 ? 'TXT' : 'A';
      const label = type === 'TXT' ? 'shared' : `r${random(1000)}-${round}-${i}`;
      live.push(await zone.want(label, type === 'TXT' ? `ours ${round}-${i}` : '203.0.113.1', { type }));
    }
    const gone = live.filter(() => random(6) === 0).slice(0, 5);
    if (gone.length > 0) await zone.unwant(...gone);
    live = live.filter((id) => !gone.includes(id));
    const trouble = troubles[random(troubles.length * 2)] ?? null;
    lab.cloudflare.setTrouble(trouble, 1 + random(2), random(2) === 0 ? /^POST/ : /./);
    await zone.reconcile({ kind: random(4) === 0 ? 'full' : 'due' });
    lab.aheadS += random(200);
  }
  lab.cloudflare.setTrouble(null);
  lab.aheadS += 3600;
  await zone.run('asked');
  assert.deepEqual(
    zone.ours(),
    await wanted(zone).then((lines) => lines.map((line) => line.replace(/(ours \S+)$/, '"$1"'))),
  );
  assert.deepEqual(
    (await zone.rows()).filter(({ status }) => status !== 'active'),
    [],
  );
  assert.equal(JSON.stringify(zone.there.records.filter(({ comment }) => comment === null)), foreign);
  assert.equal((await zone.run('full')).providerCalls, 1);
});
