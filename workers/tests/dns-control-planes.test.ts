import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitFor } from '@tunnox/testing/wait-for';
import { cloudflareWorld } from './dns-provider-worlds.ts';
import { type Body, OPERATOR_KEY, TestStack } from './test-stack.ts';

const WAIT_MS = 60_000;

let stack: TestStack;
/** Pid of the first control plane. */
let first: number;
/** URL of the second one. */
let second: string;
let world: Awaited<ReturnType<typeof cloudflareWorld>>;
before(async () => {
  [stack, world] = await Promise.all([TestStack.start({ DNS_BEAT_MS: '200' }), cloudflareWorld()]);
  first = stack.runtimes.at(-1) ?? Number.NaN;
  second = await stack.addControlPlane();
});
after(async () => {
  await stack.stop();
  await world.stop();
});

async function ask(base: string, method: string, path: string, body?: unknown): Promise<Body> {
  const answer = await fetch(`${base}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${OPERATOR_KEY}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(60_000),
  });
  const said = (await answer.json()) as Body;
  assert.ok(answer.ok, `${method} ${path}: ${JSON.stringify(said)}`);
  return said;
}

async function newZone(domain: string): Promise<number> {
  await world.addZone(domain);
  const { kind: provider, token, endpoint } = world;
  const { credential_id } = await ask(stack.url, 'POST', '/dns/credentials', {
    name: 'dns',
    provider,
    token,
    endpoint,
  });
  return (await ask(stack.url, 'POST', '/dns/zones', { domain, credential_id }))['zone_id'] as number;
}

const statuses = async (zoneId: number): Promise<string[]> => {
  const { rows } = await stack.database.query<{ status: string }>(
    'select status from domain_dns_records where zone_id = $1',
    [zoneId],
  );
  return rows.map(({ status }) => status);
};

test('two control planes reconcile one zone at once under load: no duplicate, nothing flaps, calls are bounded', async (t) => {
  const domain = 'planes.example';
  const zoneId = await newZone(domain);
  world.fake.zone(domain).put('A', `foreign.${domain}`, '198.51.100.1');
  world.fake.calls = [];
  const since = performance.now();
  const bases = [stack.url, second];
  let live: number[] = [];
  for (let round = 0; round < 8; round += 1) {
    const made = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        ask(bases[i % 2] ?? '', 'POST', '/dns/records', {
          ...{ zone_id: zoneId, type: 'A', name: `r${round}-${i}`, value: '203.0.113.1' },
          owner_type: 'node_group',
        }),
      ),
    );
    const ids = live.slice(0, 5);
    if (ids.length > 0) await ask(bases[round % 2] ?? '', 'POST', '/dns/records/delete', { ids });
    live = [...live.slice(5), ...made.map(({ record_id }) => record_id as number)];
  }
  await waitFor(async () => {
    const found = await statuses(zoneId);
    return found.length === live.length && found.every((status) => status === 'active');
  }, WAIT_MS);
  const seconds = (performance.now() - since) / 1000;
  const names = world.fake.zone(domain).records.map(({ name }) => name);
  assert.equal(names.length, live.length + 1);
  assert.equal(new Set(names).size, names.length);
  t.diagnostic(`${world.fake.calls.length} calls in ${seconds.toFixed(1)} s`);
  assert.ok(world.fake.calls.length <= 20 + 2 * 2 * 2 * seconds, 'two in a second for each control plane, and a few');
  world.fake.calls = [];
  const runs = await Promise.all(
    [...bases, ...bases].map((base) => ask(base, 'POST', `/dns/zones/${zoneId}/reconcile`)),
  );
  assert.ok(runs.every(({ status, plan }) => status === 'done' && (plan as unknown[]).length === 0));
  assert.deepEqual(world.fake.writes, []);
});

test('workerd is killed in the middle of a run: its rows are taken back, and all comes to an end', async () => {
  const domain = 'killed.example';
  const zoneId = await newZone(domain);
  await waitFor(async () => (await ask(stack.url, 'GET', `/dns/zones/${zoneId}`))['full_pass_at'] !== null, WAIT_MS);
  const reached = new Promise<void>((resolve) => {
    world.fake.setBefore(async ({ method, path }) => {
      if (method !== 'POST' || !path.includes(world.fake.zone(domain).id)) return;
      world.fake.setBefore(null);
      resolve();
      // What was sent is done all the same, after nobody waits for it any more.
      await new Promise((done) => setTimeout(done, 300));
    });
  });
  for (const name of ['one', 'two']) {
    await ask(stack.url, 'POST', '/dns/records', { zone_id: zoneId, type: 'A', name, value: '203.0.113.1' });
  }
  await reached;
  assert.ok((await statuses(zoneId)).includes('running'));
  process.kill(first, 'SIGKILL');
  // The time of its lease.
  await stack.database.query("update dns_zones set lease_until = now() - interval '1 second' where zone_id = $1", [
    zoneId,
  ]);
  await waitFor(async () => {
    await ask(second, 'POST', `/dns/zones/${zoneId}/reconcile`);
    return (await statuses(zoneId)).every((status) => status === 'active');
  }, WAIT_MS);
  const names = world.fake.zone(domain).records.map(({ name }) => name);
  assert.deepEqual(names.toSorted(), [`one.${domain}`, `two.${domain}`]);
  const { runs } = await ask(second, 'GET', `/dns/zones/${zoneId}/runs?limit=100`);
  assert.ok((runs as Body[]).some(({ status, error }) => status === 'failed' && error === 'The run was cut short'));
  assert.ok((runs as Body[]).every(({ status }) => status !== 'running'));
  // The one that was killed is back, and goes on by itself.
  await waitFor(async () => (await fetch(`${stack.url}/healthz`)).ok, WAIT_MS);
  await ask(stack.url, 'POST', '/dns/records', { zone_id: zoneId, type: 'A', name: 'three', value: '203.0.113.1' });
  await waitFor(async () => (await statuses(zoneId)).every((status) => status === 'active'), WAIT_MS);
});

test('a zone whose alarm was lost is woken by the sweep', async () => {
  const domain = 'lost.example';
  const zoneId = await newZone(domain);
  await waitFor(async () => (await ask(stack.url, 'GET', `/dns/zones/${zoneId}`))['full_pass_at'] !== null, WAIT_MS);
  // Made by nobody that could wake it, as after a restore.
  await stack.database.query(
    `insert into domain_dns_records (zone_id, type, name, value, owner_type, next_retry_at)
     values ($1, 'A', $2, '203.0.113.1', 'manual', now() - interval '1 hour')`,
    [zoneId, `www.${domain}`],
  );
  await stack.database.query("update dns_zones set ran_at = now() - interval '1 hour' where zone_id = $1", [zoneId]);
  await stack.sweep();
  await waitFor(async () => (await statuses(zoneId)).every((status) => status === 'active'), WAIT_MS);
});
