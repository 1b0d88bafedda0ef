import type { ManagementApi } from '@tunnox/api-client/management-api';
import type { CallOptions } from '@tunnox/api-client/resource';
import { everyItem } from '@tunnox/api-client/every-item';
import type { DnsZone, UpdateDnsZone } from '@tunnox/domain/api/dns';
import { type Command, Option } from 'commander';
import { CliError } from '../cli-error.ts';
import { ageText } from '../output/age.ts';
import { tableLines } from '../output/table.ts';
import { UsageError } from '../usage-error.ts';
import { idOf, numberArgument } from './arguments.ts';
import { confirm } from './confirm.ts';
import { runLines } from './dns-run-lines.ts';
import { manage, type ManageContext } from './manage.ts';
import { linesOrNothing, wholeList } from './whole-list.ts';

interface ZoneOptions {
  policy?: DnsZone['policy'];
  guard?: number;
  websiteGroup?: string | false;
  ownerRecords?: boolean;
  credential?: number;
}

const policyOption = () =>
  new Option('--policy <policy>', 'how far the provider follows: sync, upsert_only or dry_run').choices([
    'sync',
    'upsert_only',
    'dry_run',
  ]);

/** `tunnox dns zones …` */
export function addDnsZonesCommands(dns: Command, context: ManageContext): void {
  const zones = dns.command('zones').description('Zones whose records are kept as they shall be');

  manage(context, zones.command('list', { isDefault: true }).description('List them'), async ({ api, call, nowMs }) => {
    const found = await wholeList(everyItem('zones', (page) => api.dns.zones(page, call)));
    const rows = found.map((zone) => [
      ...[zone.zone_id, zone.domain, zone.provider, zone.policy, zone.status, zone.records.active],
      ...[zone.records.pending + zone.records.running, zone.records.error, zone.records.deleting],
      ageText(zone.full_pass_at, nowMs),
    ]);
    const heads = ['id', 'domain', 'provider', 'policy', 'status', 'active', 'pending', 'error', 'deleting'];
    const lines = tableLines([...heads, 'full pass'], rows);
    return {
      result: { zones: found },
      lines: linesOrNothing(lines, found.length, 'No zones: see `tunnox dns zones create --help`.'),
    };
  });

  manage(
    context,
    zones.command('show <zone>').description('Show one, by its id or its domain'),
    async ({ api, call, nowMs }, [wish]) => {
      const zone = await findZone(api, wish, call);
      return { result: { zone }, lines: describe(zone, nowMs) };
    },
  );

  manage<ZoneOptions & { credential: number }>(
    context,
    zones
      .command('create <domain>')
      .description('Connect a zone')
      .requiredOption('--credential <id>', 'with which its provider is reached', numberArgument)
      .addOption(policyOption())
      .option('--no-owner-records', 'make no records by itself')
      .option('--website-group <group>', 'relay group to which the base domains in it lead (operators)'),
    async ({ api, options, call, nowMs }, [domain = '']) => {
      const { credential, policy, ownerRecords, websiteGroup } = options;
      const zone = await api.dns.createZone(
        {
          ...{ domain, credential_id: credential },
          ...(policy === undefined ? {} : { policy }),
          ...(ownerRecords === false ? { owner_records: false } : {}),
          ...(typeof websiteGroup === 'string' ? { website_group: websiteGroup } : {}),
        },
        call,
      );
      return { result: { zone }, lines: describe(zone, nowMs) };
    },
  );

  manage<ZoneOptions>(
    context,
    zones
      .command('update <zone>')
      .description('Change how it is kept')
      .addOption(policyOption())
      .option('--guard <percent>', 'share of it that one run may change or delete unconfirmed', numberArgument)
      .option('--credential <id>', 'another way to its provider', numberArgument)
      .option('--owner-records', 'make records of relays and domains by itself')
      .option('--no-owner-records', 'make none by itself, and remove those that were')
      .option('--website-group <group>', 'relay group to which the base domains in it lead (operators)')
      .option('--no-website-group', 'leave base domains alone'),
    async ({ api, options, call, nowMs }, [wish]) => {
      const change = changeOf(options);
      if (Object.keys(change).length === 0) throw new UsageError('Say what shall change: see --help');
      const { zone_id } = await findZone(api, wish, call);
      const zone = await api.dns.updateZone(zone_id, change, call);
      return { result: { zone }, lines: describe(zone, nowMs) };
    },
  );

  manage<{ yes?: boolean; leaveRecords?: boolean }>(
    context,
    zones
      .command('delete <zone>')
      .description('Let a zone be')
      .option('--leave-records', 'what was made at the provider stays there')
      .option('-y, --yes', 'do not ask'),
    async ({ api, options, io, call }, [wish]) => {
      const { zone_id, domain } = await findZone(api, wish, call);
      const leave = options.leaveRecords === true;
      await confirm(`Let ${domain} be${leave ? ', and leave its records where they are' : ''}?`, io, options);
      await api.dns.deleteZone(zone_id, leave, call);
      return { result: { zone_id }, lines: [`${domain} is let be`] };
    },
  );

  manage<{ dryRun?: boolean; confirm?: string; adoptIdentical?: boolean }>(
    context,
    zones
      .command('reconcile <zone>')
      .description('Go over the whole zone now, or show what that would do')
      .option('--dry-run', 'change nothing: show the plan')
      .option('--confirm <hash>', 'let a plan pass that the guard has refused')
      .option('--adopt-identical', "take others' records over that are just as desired"),
    async ({ api, options, call }, [wish]) => {
      const { zone_id } = await findZone(api, wish, call);
      const { dryRun, confirm: hash, adoptIdentical } = options;
      const run = await api.dns.reconcile(zone_id, { dryRun, confirm: hash, adoptIdentical, ...call });
      return { result: { run }, lines: runLines(run) };
    },
  );

  manage<{ limit?: number }>(
    context,
    zones
      .command('runs <zone>')
      .description('List what was planned and done, the newest first')
      .option('--limit <count>', 'how many', numberArgument),
    async ({ api, options, call, nowMs }, [wish]) => {
      const { zone_id } = await findZone(api, wish, call);
      const { runs } = await api.dns.runs(zone_id, { limit: options.limit ?? 20 }, call);
      const rows = runs.map((run) => [
        ...[run.run_id, run.kind, run.status, ageText(run.started_at, nowMs), run.provider_calls],
        ...[run.counts['done'] ?? 0, run.counts['failed'] ?? 0, run.error ?? '–'],
      ]);
      const lines = tableLines(['id', 'kind', 'status', 'began', 'calls', 'done', 'failed', 'error'], rows);
      return { result: { runs }, lines: linesOrNothing(lines, runs.length, 'There was no run yet.') };
    },
  );
}

/** By id, or by domain. */
export async function findZone(api: ManagementApi, wish: string | undefined, call: CallOptions): Promise<DnsZone> {
  if (wish === undefined || /^\d+$/.test(wish)) return await api.dns.zone(idOf(wish, 'zone id'), call);
  const domain = wish.toLowerCase().replace(/\.$/, '');
  for await (const zone of everyItem('zones', (page) => api.dns.zones(page, call))) {
    if (zone.domain === domain) return zone;
  }
  throw new CliError('not_found', `You have no zone ${wish}: see \`tunnox dns zones\``);
}

function changeOf({ policy, guard, credential, ownerRecords, websiteGroup }: ZoneOptions): UpdateDnsZone {
  if (guard !== undefined && guard > 100) throw new UsageError('--guard is a share in percent, 0 to 100');
  return {
    ...(policy === undefined ? {} : { policy }),
    ...(guard === undefined ? {} : { guard_share: guard / 100 }),
    ...(credential === undefined ? {} : { credential_id: credential }),
    ...(ownerRecords === undefined ? {} : { owner_records: ownerRecords }),
    ...(websiteGroup === undefined ? {} : { website_group: websiteGroup === false ? null : websiteGroup }),
  };
}

function describe(zone: DnsZone, nowMs: number): string[] {
  const row = (label: string, value: string) => `${label.padEnd(14)}${value}`;
  const { pending, running, active, error, deleting } = zone.records;
  return [
    row('Zone', `${zone.domain} (id ${zone.zone_id}, ${zone.status})`),
    row('Provider', `${zone.provider}, credential ${zone.credential_id}`),
    row('Policy', `${zone.policy}, guard ${Math.round(zone.guard_share * 100)} %`),
    row('By itself', zone.owner_records ? 'records of relays and domains' : 'nothing'),
    ...(zone.website_group === null ? [] : [row('Base domains', `lead to the relays of ${zone.website_group}`)]),
    row('Mark', zone.mark),
    row('Records', `${active} active, ${pending + running} pending, ${error} in error, ${deleting} being deleted`),
    row('Full pass', ageText(zone.full_pass_at, nowMs)),
    ...(zone.last_error === null ? [] : [row('Error', zone.last_error)]),
  ];
}
