import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, afterEach, before, suite, test } from 'node:test';
import { needs } from '@tunnox/testing/needs';
import { type PowerDnsFixture, startPowerDns } from '@tunnox/testing/powerdns';
import { type RunningStack, startStack } from '@tunnox/testing/stack';
import { eventually } from './support/eventually.ts';
import { type OwnRelay, startOwnRelay } from './support/own-relay.ts';
import { api } from './support/tenant.ts';

const BASE = 'tunnox.localhost';
const EU = `eu.relay.${BASE}`;
/** Between two looks at what is due; and how long a relay that dies without a word is believed to live. */
const BEAT_MS = 40_000;
const LEASE_MS = 30_000;

suite('relays in the DNS', { skip: needs('pdns_server') }, () => {
  let platform: RunningStack;
  let dns: PowerDnsFixture;
  let resolver: Resolver;
  let zoneId: number;
  const relays: OwnRelay[] = [];

  before(async () => {
    platform = await startStack({ env: { TUNNOX_DEMO: 'off', TUNNOX_RESTART: 'off' } });
    dns = await startPowerDns();
    await dns.createZone(BASE);
    resolver = new Resolver({ timeout: 1000, tries: 1 });
    resolver.setServers([`127.0.0.1:${dns.dnsPort}`]);
    const { credential_id } = await operator<{ credential_id: number }>('POST', '/dns/credentials', {
      ...{ name: 'dns', provider: 'powerdns', token: dns.apiKey, endpoint: dns.apiUrl },
    });
    const zone = await operator<{ zone_id: number }>('POST', '/dns/zones', { domain: BASE, credential_id });
    zoneId = zone.zone_id;
  });
  afterEach(async () => {
    for (const relay of relays.splice(0)) {
      await relay.remove();
      const { status } = await node(relay.nodeId);
      if (status !== 'offline')
        await eventually(
          () => node(relay.nodeId),
          (one) => one.status === 'offline',
          2 * LEASE_MS,
        );
      await operator('DELETE', `/nodes/${relay.nodeId}`);
    }
  });
  after(async () => {
    await platform?.stop();
    await dns?.stop();
  });

  const operator = <T>(method: string, path: string, body?: unknown): Promise<T> =>
    api<T>(platform.stack, platform.stack.operator_key, method, `/api/v1${path}`, body);
  const node = (nodeId: string) => operator<{ status: string }>('GET', `/nodes/${nodeId}`);

  async function addresses(name: string): Promise<string[]> {
    try {
      return (await resolver.resolve4(name)).toSorted();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTFOUND' || code === 'ENODATA') return [];
      throw error;
    }
  }

  const untilAddresses = (name: string, expected: string[], timeoutMs: number) =>
    eventually(
      () => addresses(name),
      (found) => found.join() === expected.toSorted().join(),
      timeoutMs,
    );

  async function start(group: string, address: string): Promise<OwnRelay> {
    const relay = await startOwnRelay(platform.stack, {
      group,
      env: { TUNNOX_PUBLIC_IPV4: address, TUNNOX_REGION: group },
    });
    relays.push(relay);
    return relay;
  }

  /** Whether somebody is let in. */
  async function accepts(port: number): Promise<boolean> {
    const socket = connect({ host: '127.0.0.1', port });
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }

  test('the relays of the platform are there under their group', async () => {
    await untilAddresses(`default.relay.${BASE}`, ['127.0.0.1'], BEAT_MS);
  });

  test('a base domain leads to the relays as long as its zone says so', async () => {
    await operator('PUT', `/dns/zones/${zoneId}`, { website_group: 'default' });
    await untilAddresses(BASE, ['127.0.0.1'], BEAT_MS);
    await untilAddresses(`any-name.${BASE}`, ['127.0.0.1'], BEAT_MS);
    await operator('PUT', `/dns/zones/${zoneId}`, { website_group: null });
    await untilAddresses(`any-name.${BASE}`, [], BEAT_MS);
    await untilAddresses(BASE, [], BEAT_MS);
    assert.deepEqual(await addresses(`default.relay.${BASE}`), ['127.0.0.1']);
  });

  test('a relay appears within a beat; SIGTERM takes it out before it stops serving', async () => {
    const relay = await start('eu', '203.0.113.1');
    await start('eu', '203.0.113.2');
    await untilAddresses(EU, ['203.0.113.1', '203.0.113.2'], BEAT_MS);
    relay.process.kill('SIGTERM');
    for (let served = true; served;) {
      served = await accepts(relay.httpPort);
      if (!served) assert.deepEqual(await addresses(EU), ['203.0.113.2'], 'it served as long as it was named');
    }
    assert.equal(await relay.ended, 0);
    assert.deepEqual(await addresses(EU), ['203.0.113.2']);
  });

  test('kill -9 takes it out within its lease and a beat; the last one goes, and the name with it', async () => {
    const relay = await start('eu', '203.0.113.3');
    await untilAddresses(EU, ['203.0.113.3'], BEAT_MS);
    relay.process.kill('SIGKILL');
    await relay.ended;
    await untilAddresses(EU, [], LEASE_MS + BEAT_MS);
  });

  test('one that is killed and started again and again stays named, and the provider has its peace', async () => {
    let relay = await start('eu', '203.0.113.4');
    await untilAddresses(EU, ['203.0.113.4'], BEAT_MS);
    const callsOf = async () => {
      const { runs } = await operator<{ runs: { provider_calls: number }[] }>(
        'GET',
        `/dns/zones/${zoneId}/runs?limit=100`,
      );
      return runs.reduce((sum, run) => sum + run.provider_calls, 0);
    };
    const before = await callsOf();
    for (let round = 0; round < 10; round += 1) {
      relay.process.kill('SIGKILL');
      await relay.ended;
      relay = await relay.restart();
      relays[0] = relay;
      assert.deepEqual(await addresses(EU), ['203.0.113.4'], `round ${round}`);
    }
    await untilAddresses(EU, ['203.0.113.4'], BEAT_MS);
    const calls = (await callsOf()) - before;
    assert.ok(calls <= 10, `${calls} calls for ten restarts`);
  });

  test('when all seem dead at once, the last answer stays', async () => {
    const relay = await start('eu', '203.0.113.5');
    await untilAddresses(EU, ['203.0.113.5'], BEAT_MS);
    relay.process.kill('SIGKILL');
    for (const { node_id } of platform.stack.relays) await platform.killRelay(node_id);
    await relay.ended;
    await eventually(
      () => operator<{ nodes: { status: string }[] }>('GET', '/nodes'),
      ({ nodes }) => nodes.every(({ status }) => status === 'offline'),
      3 * LEASE_MS,
    );
    // Whatever is due is done now.
    await operator('POST', `/dns/zones/${zoneId}/reconcile`);
    assert.deepEqual(await addresses(EU), ['203.0.113.5']);
    assert.deepEqual(await addresses(`default.relay.${BASE}`), ['127.0.0.1']);
    // As soon as the control plane has reason to believe it again, the dead go.
    for (const { node_id } of platform.stack.relays) await platform.startRelay(node_id);
    await untilAddresses(EU, [], LEASE_MS + BEAT_MS);
    assert.deepEqual(await addresses(`default.relay.${BASE}`), ['127.0.0.1']);
  });
});
