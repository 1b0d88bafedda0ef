import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { acmeDelegation } from '../services/acme-delegation.ts';
import type { DnsAnswer } from '../services/domain-proof-ports.ts';
import { CertificateFault, type OrderProof } from './certificate-ports.ts';
import type { ChallengeRecord, ChallengeRepository, ChallengeZone } from './challenge-ports.ts';
import { createChallengePublisher } from './challenge-publisher.ts';

const PROOF: OrderProof = {
  ...{
    authorizationUrl: 'a',
    challengeUrl: 'c',
    name: 'shop.example.org',
    token: 't',
    answer: 'ANSWER',
    answered: false,
  },
};
const SHOP = { names: ['shop.example.org'], baseDomain: null, userId: 7 };
const IN_ZONE = { challenge: 'dns-01', zoneId: 1, name: '_acme-challenge.shop.example.org' } as const;

/** Rows, records of the DNS as `type name` → values or aliases, and what was woken. */
class Rig {
  zones: (ChallengeZone & { userId: number | null })[] = [];
  dns: Record<string, string[]> = {};
  resolverAway = false;
  put: Awaited<ReturnType<ChallengeRepository['putRecord']>> = 'made';
  row: ChallengeRecord | null = null;
  addresses: string[] = [];
  readonly woken: number[] = [];
  readonly tokens: { token: string; host: string; keyAuthorization: string }[] = [];

  readonly publisher = createChallengePublisher(
    {
      challenges: {
        zoneOf: async (name, userId) =>
          this.zones.find(
            (zone) =>
              (name === zone.domain || name.endsWith(`.${zone.domain}`)) &&
              (zone.userId === null || zone.userId === userId),
          ) ?? null,
        putRecord: async () => this.put,
        record: async () => this.row,
        putToken: async (token) => void this.tokens.push(token),
        withdraw: async () => [1, 2],
        withdrawLost: async () => [],
        relayAddresses: async () => this.addresses,
      },
      resolver: {
        lookUp: async (name, type): Promise<DnsAnswer> => {
          if (this.resolverAway) throw new TunnoxError('unavailable', 'away');
          const chain = this.dns[`CNAME ${name}`] ?? [];
          return { rcode: 'NOERROR', chain, values: this.dns[`${type} ${chain.at(-1) ?? name}`] ?? [] };
        },
      },
      wakeZone: async (zoneId) => void this.woken.push(zoneId),
    },
    { baseDomains: ['tunnox.example', 'second.example'] },
  );

  async fault(): Promise<string> {
    const placed = this.publisher.place(SHOP);
    await assert.rejects(placed, CertificateFault);
    return await placed.then(
      () => '',
      (error: Error) => error.message,
    );
  }
}

test('place() puts the proof of a base domain into a zone of the operators, and into no tenant’s', async () => {
  const rig = new Rig();
  const base = { names: ['*.tunnox.example', 'tunnox.example'], baseDomain: 'tunnox.example', userId: null };
  rig.zones = [{ zoneId: 5, domain: 'tunnox.example', userId: 7 }];
  await assert.rejects(rig.publisher.place(base), /no DNS zone in which tunnox\.example lies/);
  rig.zones.push({ zoneId: 6, domain: 'example', userId: null });
  assert.deepEqual(await rig.publisher.place(base), {
    ...{ challenge: 'dns-01', zoneId: 6, name: '_acme-challenge.tunnox.example' },
  });
});

test('place() follows a CNAME that leaves the proof to us, under any base domain', async () => {
  const rig = new Rig();
  rig.zones = [{ zoneId: 6, domain: 'second.example', userId: null }];
  for (const base of ['second.example', 'tunnox.example']) {
    const { name, value } = acmeDelegation('shop.example.org', base);
    rig.dns = { [`CNAME ${name}`]: ['elsewhere.example', value] };
    if (base === 'second.example') {
      assert.deepEqual(await rig.publisher.place(SHOP), { challenge: 'dns-01', zoneId: 6, name: value });
    } else assert.match(await rig.fault(), /the operators have no DNS zone for tunnox\.example/);
  }
});

test('place() takes the tenant’s own zone, unless a CNAME leads out of it', async () => {
  const rig = new Rig();
  rig.zones = [{ zoneId: 9, domain: 'example.org', userId: 7 }];
  assert.deepEqual(await rig.publisher.place(SHOP), { ...IN_ZONE, zoneId: 9 });
  rig.dns = { 'CNAME _acme-challenge.shop.example.org': ['somewhere.else'] };
  assert.match(await rig.fault(), /has no address/);
  rig.dns = {};
  rig.zones = [{ zoneId: 9, domain: 'example.org', userId: 8 }];
  assert.match(await rig.fault(), /has no address/);
});

test('place() lets relays answer for a name that leads to them: by alias, by address, behind a balancer', async () => {
  const cases: [Record<string, string[]>, string[], RegExp | null][] = [
    [{}, [], /shop\.example\.org has no address in the DNS/],
    [{ 'CNAME shop.example.org': ['eu.tunnox.example'], 'A eu.tunnox.example': ['203.0.113.1'] }, [], null],
    [{ 'CNAME shop.example.org': ['eu.tunnox.example'] }, [], /has no address/],
    [{ 'A shop.example.org': ['203.0.113.1'] }, ['203.0.113.1', '203.0.113.2'], null],
    [
      { 'A shop.example.org': ['203.0.113.1', '198.51.100.1'] },
      ['203.0.113.1'],
      /leads to 198\.51\.100\.1, which is no relay/,
    ],
    [
      { 'A shop.example.org': ['203.0.113.1'], 'AAAA shop.example.org': ['2001:db8::9'] },
      ['203.0.113.1'],
      /2001:db8::9/,
    ],
    [{ 'A shop.example.org': ['192.0.2.5'], 'A tunnox-any-name.second.example': ['192.0.2.5'] }, [], null],
  ];
  for (const [dns, addresses, fault] of cases) {
    const rig = new Rig();
    Object.assign(rig, { dns, addresses });
    if (fault === null)
      assert.deepEqual(await rig.publisher.place(SHOP), { challenge: 'http-01' }, JSON.stringify(dns));
    else {
      const said = await rig.fault();
      assert.match(said, fault);
      assert.ok(said.includes(acmeDelegation('shop.example.org', 'tunnox.example').value));
    }
  }
});

test('place() says that the resolver is away', async () => {
  const rig = new Rig();
  rig.resolverAway = true;
  assert.match(await rig.fault(), /resolver cannot be reached/);
});

test('publish() wakes the zone of a record that was made, and says what is in its way', async () => {
  const rig = new Rig();
  for (const put of ['made', 'there'] as const) {
    rig.put = put;
    await rig.publisher.publish(3, IN_ZONE, PROOF);
  }
  assert.deepEqual(rig.woken, [1]);
  for (const [put, fault] of [
    ['excluded', /A CNAME record stands at/],
    ['no_zone', /was disconnected/],
  ] as const) {
    rig.put = put;
    await assert.rejects(rig.publisher.publish(3, IN_ZONE, PROOF), fault);
  }
  await rig.publisher.publish(3, { challenge: 'http-01' }, PROOF);
  assert.deepEqual(rig.tokens, [
    { certificateId: 3, token: 't', host: 'shop.example.org', keyAuthorization: 'ANSWER' },
  ]);
});

test('missing() waits for the provider, then for the DNS, and not for ever for a resolver that remembers', async () => {
  const rig = new Rig();
  const missing = () => rig.publisher.missing(3, IN_ZONE, PROOF);
  assert.match((await missing()) ?? '', /was removed by somebody/);
  rig.row = { status: 'pending', lastError: null, activeS: null };
  assert.match((await missing()) ?? '', /on its way/);
  rig.row = { status: 'error', lastError: 'The token may not do this', activeS: null };
  assert.match((await missing()) ?? '', /cannot be made: The token may not do this/);
  rig.row = { status: 'active', lastError: null, activeS: 1 };
  assert.match((await missing()) ?? '', /cannot be seen in the DNS yet/);
  rig.dns = { 'TXT _acme-challenge.shop.example.org': ['another', 'ANSWER'] };
  assert.equal(await missing(), null);
  rig.resolverAway = true;
  assert.match((await missing()) ?? '', /resolver cannot be reached/);
  rig.row = { status: 'active', lastError: null, activeS: 301 };
  assert.equal(await missing(), null);
  assert.equal(await rig.publisher.missing(3, { challenge: 'http-01' }, PROOF), null);
});

test('withdraw() wakes the zones that have something to remove', async () => {
  const rig = new Rig();
  await rig.publisher.withdraw(3);
  assert.deepEqual(rig.woken, [1, 2]);
});
