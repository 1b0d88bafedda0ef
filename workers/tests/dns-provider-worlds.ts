import { Resolver } from 'node:dns/promises';
import { ownershipMark } from '@tunnox/dns-plan/ownership';
import { changesOf, type DesiredRecord, makePlan, type PlanItem } from '@tunnox/dns-plan/plan';
import type { RecordType } from '@tunnox/dns-plan/record-type';
import { quoteTxt } from '@tunnox/dns-plan/txt';
import type { ProviderKind } from '@tunnox/domain/api/dns';
import { CloudflareFake } from '@tunnox/testing/cloudflare-fake';
import { type PowerDnsFixture, startPowerDns } from '@tunnox/testing/powerdns';
import { type AppliedChanges, applyChanges } from '../src/dns-sync/apply-changes.ts';
import { openAccess, type OpenCredential, type ZoneOpenerDeps } from '../src/dns-sync/zone-opener.ts';
import type { ZoneChange, ZoneProvider } from '../src/dns-sync/zone-provider.ts';

export const TAG = 'abcdefghijkl';
export const OTHER_TAG = 'zyxwvutsrqpo';

/** A provider with what people do at it by hand. */
export interface ProviderWorld {
  kind: ProviderKind;
  token: string;
  endpoint: string;
  addZone: (domain: string) => Promise<void>;
  /** A record that somebody else makes. Values as in the API: bare texts, names without a dot. */
  foreign: (domain: string, type: RecordType, name: string, value: string, ttl?: number) => Promise<void>;
  /** Somebody removes records of the name and type, ours or not. */
  wipe: (domain: string, type: RecordType, name: string) => Promise<void>;
  /** What there is at a name: `value ttl`, sorted. */
  there: (domain: string, type: RecordType, name: string) => Promise<string[]>;
  /** The provider stops and starts. */
  pause: () => Promise<void>;
  resume: () => Promise<void>;
  stop: () => Promise<void>;
}

export async function cloudflareWorld(fake?: CloudflareFake): Promise<ProviderWorld & { fake: CloudflareFake }> {
  const server = fake ?? (await CloudflareFake.start());
  const content = (type: RecordType, value: string) => (type === 'TXT' ? quoteTxt(value) : value);
  const recordsAt = (domain: string, type: RecordType, name: string) =>
    server.zone(domain).records.filter((record) => record.type === type && record.name === name);
  return {
    kind: 'cloudflare',
    fake: server,
    token: server.addToken(),
    endpoint: server.url,
    addZone: async (domain) => void server.addZone(domain),
    foreign: async (domain, type, name, value, ttl = 300) => {
      server.zone(domain).put(type, name, content(type, value), { ttl });
    },
    wipe: async (domain, type, name) => {
      for (const { id } of recordsAt(domain, type, name)) server.zone(domain).remove(id);
    },
    there: async (domain, type, name) =>
      recordsAt(domain, type, name)
        .map((record) => `${record.content} ${record.ttl}`)
        .toSorted(),
    pause: async () => server.setTrouble({ kind: 'down' }),
    resume: async () => server.setTrouble(null),
    stop: () => server.stop(),
  };
}

/** The answers are those of DNS queries. */
export async function powerDnsWorld(): Promise<ProviderWorld & { dns: PowerDnsFixture; resolver: Resolver }> {
  const dns = await startPowerDns();
  const resolver = new Resolver({ timeout: 5000, tries: 2 });
  resolver.setServers([`127.0.0.1:${dns.dnsPort}`]);
  const setsAt = async (domain: string, type: RecordType, name: string) =>
    (await dns.records(domain)).find((set) => set.type === type && set.name === `${name}.`);
  return {
    kind: 'powerdns',
    ...{ dns, resolver, token: dns.apiKey, endpoint: dns.apiUrl },
    addZone: (domain) => dns.createZone(domain),
    foreign: async (domain, type, name, value, ttl = 300) => {
      const set = await setsAt(domain, type, name);
      const record = { content: type === 'TXT' ? quoteTxt(value) : type === 'CNAME' ? `${value}.` : value };
      const rrset = {
        ...{ name: `${name}.`, type, ttl: set?.ttl ?? ttl, changetype: 'REPLACE' },
        records: [...(set?.records ?? []), { ...record, disabled: false }],
        comments: set?.comments ?? [],
      };
      const { status, body } = await dns.call('PATCH', `/zones/${domain}.`, { rrsets: [rrset] });
      if (status !== 204) throw new Error(`PowerDNS refused: ${JSON.stringify(body)}`);
    },
    wipe: (domain, type, name) => dns.setRecords(domain, name, type, []),
    there: async (_domain, type, name) => {
      try {
        switch (type) {
          case 'A':
            return (await resolver.resolve4(name, { ttl: true }))
              .map(({ address, ttl }) => `${address} ${ttl}`)
              .toSorted();
          case 'AAAA':
            return (await resolver.resolve6(name, { ttl: true }))
              .map(({ address, ttl }) => `${address} ${ttl}`)
              .toSorted();
          default: {
            const set = await setsAt(_domain, type, name);
            const served = set?.records.filter(({ disabled }) => !disabled) ?? [];
            return served.map(({ content }) => `${content.replace(/\.$/, '')} ${set?.ttl}`).toSorted();
          }
        }
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOTFOUND' || code === 'ENODATA') return [];
        throw error;
      }
    },
    pause: () => dns.pause(),
    resume: () => dns.resume(),
    stop: () => dns.stop(),
  };
}

/** What opens zones, with one credential and no budget. */
export function openerOf(credential: Partial<OpenCredential>, deps: Partial<ZoneOpenerDeps> = {}): ZoneOpenerDeps {
  const whole = { credentialId: 1, provider: 'cloudflare', token: '', endpoint: null, isTenant: false, ...credential };
  return {
    credentials: { load: async () => whole as OpenCredential, takeCall: async () => 0, block: async () => {} },
    fetch,
    endpoints: {},
    checkEndpoint: async () => {},
    ...deps,
  };
}

export async function openZone(world: ProviderWorld, domain: string, tag = TAG): Promise<ZoneProvider> {
  const { kind: provider, token, endpoint } = world;
  const { access, driver } = await openAccess(openerOf({ provider, token, endpoint }), 1);
  const providerZoneId = await driver.findZone(access, { domain, id: null }, AbortSignal.timeout(10_000));
  return driver.open(access, { domain, providerZoneId, tag });
}

let lastId = 0;

/** A row as the database would have it. */
export function wish(type: RecordType, name: string, value: string, more: Partial<DesiredRecord> = {}): DesiredRecord {
  lastId += 1;
  const state = { state: 'present' as const, providerRecordId: null, exempt: false };
  return { id: lastId, type, name, value, ttl: 300, proxied: null, ...state, ...more };
}

/** Lists, plans and carries out, as a run does. */
export async function sync(
  provider: ZoneProvider,
  rows: DesiredRecord[],
  options: { tag?: string; adoptIdentical?: boolean } = {},
): Promise<{ plan: PlanItem[]; applied: AppliedChanges }> {
  const { tag = TAG, adoptIdentical = false } = options;
  const plan = makePlan(rows, await provider.list(AbortSignal.timeout(60_000)), { adoptIdentical });
  const changes = changesOf(plan).map((item): ZoneChange => {
    if (item.kind === 'delete') return { kind: 'delete', actual: item.actual };
    const { type, name, value, ttl, proxied } = item.desired;
    const record = { type, name, value, ttl, proxied, comment: `${ownershipMark(tag)} manual` };
    return item.kind === 'create' ? { kind: 'create', record } : { kind: 'update', actual: item.actual, record };
  });
  const applied = await apply(provider, changes);
  return { plan, applied };
}

export function apply(provider: ZoneProvider, changes: ZoneChange[]): Promise<AppliedChanges> {
  return applyChanges(provider, changes, { signal: AbortSignal.timeout(60_000), before: async () => {} });
}

/** Kinds of a plan's items with their names: `create www.example.com`. */
export function kindsOf(plan: readonly PlanItem[]): string[] {
  return plan
    .map((item) => `${item.kind} ${(item.desired ?? ('actual' in item ? item.actual : null))?.name}`)
    .toSorted();
}
