import { everyItem } from '@tunnox/api-client/every-item';
import type { DnsRecordsQuery } from '@tunnox/api-client/resources/dns';
import type { CreateDnsRecord, DnsRecord } from '@tunnox/domain/api/dns';
import type { Command } from 'commander';
import { ageText } from '../output/age.ts';
import { tableLines } from '../output/table.ts';
import { idOf, numberArgument } from './arguments.ts';
import { confirm } from './confirm.ts';
import { findZone } from './dns-zones-commands.ts';
import { manage, type ManageContext } from './manage.ts';
import { linesOrNothing, wholeList } from './whole-list.ts';

interface ListOptions {
  zone?: string;
  status?: string;
  owner?: string;
  type?: string;
  name?: string;
}

interface CreateOptions {
  ttl?: number;
  proxied?: boolean;
}

/** `tunnox dns records …` */
export function addDnsRecordsCommands(dns: Command, context: ManageContext): void {
  const records = dns.command('records').description('Records as they shall be');

  manage<ListOptions>(
    context,
    records
      .command('list', { isDefault: true })
      .description('List them')
      .option('--zone <zone>', 'only those of this zone: its id or its domain')
      .option('--status <status>', 'only pending, running, active or error')
      .option('--owner <owner>', 'only those of this owner, such as node_group or website_domain:12')
      .option('--type <type>', 'only A, AAAA, CNAME or TXT')
      .option('--name <name>', 'only those of this whole name'),
    async ({ api, options, call, nowMs }) => {
      const filter = await filterOf(options, async (wish) => (await findZone(api, wish, call)).zone_id);
      const found = await wholeList(everyItem('records', (page) => api.dns.records({ ...page, ...filter }, call)));
      const rows = found.map((one) => [
        ...[one.record_id, one.type, one.name, one.value, one.ttl === 1 ? 'auto' : one.ttl, stateOf(one)],
        ...[ownerOf(one), one.next_retry_at === null ? '–' : whenText(one.next_retry_at, nowMs), one.last_error ?? ''],
      ]);
      const lines = tableLines(['id', 'type', 'name', 'value', 'ttl', 'status', 'owner', 'next try', ''], rows);
      return {
        result: { records: found },
        lines: linesOrNothing(lines, found.length, 'No records: see `tunnox dns records create --help`.'),
      };
    },
  );

  manage(context, records.command('show <record>').description('Show one'), async ({ api, call, nowMs }, [id]) => {
    const record = await api.dns.record(idOf(id, 'record id'), call);
    return { result: { record }, lines: describe(record, nowMs) };
  });

  manage<CreateOptions>(
    context,
    records
      .command('create <zone> <type> <name> <value>')
      .description('Want a record: <zone> is an id or a domain, <name> is @ for the zone itself, or such as www')
      .option('--ttl <seconds>', '60 to 86400; left out: as the provider likes', numberArgument)
      .option('--proxied', 'visitors go through Cloudflare')
      .option('--no-proxied', 'visitors do not'),
    async ({ api, options, call, nowMs }, [zone, type = '', name = '', value = '']) => {
      const { zone_id } = await findZone(api, zone, call);
      const { ttl, proxied } = options;
      const record = await api.dns.createRecord(
        {
          // The server knows which types there are.
          ...{ zone_id, type: type.toUpperCase() as CreateDnsRecord['type'], name, value },
          ...(ttl === undefined ? {} : { ttl }),
          ...(proxied === undefined ? {} : { proxied }),
        },
        call,
      );
      return { result: { record }, lines: describe(record, nowMs) };
    },
  );

  manage<{ yes?: boolean }>(
    context,
    records
      .command('delete <records...>')
      .description('Want records no more: they go once the provider has confirmed it')
      .option('-y, --yes', 'do not ask'),
    async ({ api, options, io, call }, args) => {
      const ids = args.map((id) => idOf(id, 'record id'));
      await confirm(`Delete ${ids.length === 1 ? 'a record' : `${ids.length} records`}?`, io, options);
      const affected = await api.dns.deleteRecords(ids, call);
      return { result: { affected }, lines: [`${affected} will be gone once the provider has confirmed it`] };
    },
  );

  manage(
    context,
    records.command('retry <record>').description('Try it now, whatever went wrong before'),
    async ({ api, call, nowMs }, [id]) => {
      const record = await api.dns.retryRecord(idOf(id, 'record id'), call);
      return { result: { record }, lines: describe(record, nowMs) };
    },
  );
}

async function filterOf(
  { zone, status, owner, type, name }: ListOptions,
  findZoneId: (wish: string) => Promise<number>,
): Promise<DnsRecordsQuery> {
  const [ownerType, ...ownerId] = owner?.split(':') ?? [];
  // The server knows which statuses, owners and types there are.
  return {
    ...(zone === undefined ? {} : { zone_id: await findZoneId(zone) }),
    ...(status === undefined ? {} : { status: status as DnsRecord['status'] }),
    ...(ownerType === undefined ? {} : { owner_type: ownerType as DnsRecord['owner_type'] }),
    ...(ownerId.length === 0 ? {} : { owner_id: ownerId.join(':') }),
    ...(type === undefined ? {} : { type: type.toUpperCase() as DnsRecord['type'] }),
    ...(name === undefined ? {} : { name }),
  };
}

function stateOf({ status, desired_state }: DnsRecord): string {
  return desired_state === 'absent' ? `deleting (${status})` : status;
}

function ownerOf({ owner_type, owner_id, automatic }: DnsRecord): string {
  return `${owner_type}${owner_id === null ? '' : `:${owner_id}`}${automatic ? ' *' : ''}`;
}

function whenText(moment: string, nowMs: number): string {
  const seconds = Math.round((Date.parse(moment) - nowMs) / 1000);
  return seconds <= 0 ? 'now' : `in ${seconds} s`;
}

function describe(one: DnsRecord, nowMs: number): string[] {
  const row = (label: string, value: string) => `${label.padEnd(14)}${value}`;
  return [
    row('Record', `${one.record_id} ${one.type} ${one.name} ${one.value}`),
    row('Zone', String(one.zone_id)),
    row('TTL', one.ttl === 1 ? 'as the provider likes' : `${one.ttl} s`),
    ...(one.proxied === null ? [] : [row('Proxied', one.proxied ? 'yes' : 'no')]),
    row('Status', stateOf(one)),
    row('Owner', `${ownerOf(one)}${one.automatic ? ' (follows it by itself)' : ''}`),
    row('At provider', one.synced_at === null ? 'never seen' : `seen ${ageText(one.synced_at, nowMs)}`),
    ...(one.next_retry_at === null ? [] : [row('Next try', whenText(one.next_retry_at, nowMs))]),
    ...(one.last_error === null ? [] : [row('Error', `${one.last_error} (${one.retry_count} tries)`)]),
    ...(one.status === 'error' && one.next_retry_at === null
      ? ['', `It is not tried again by itself: tunnox dns records retry ${one.record_id}`]
      : []),
  ];
}
