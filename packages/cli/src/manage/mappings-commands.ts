import { everyItem } from '@tunnox/api-client/every-item';
import type { Delivery } from '@tunnox/domain/api/common';
import type { Mapping } from '@tunnox/domain/api/mappings';
import { type Command, Option } from 'commander';
import { bytesText } from '../output/status.ts';
import { tableLines } from '../output/table.ts';
import { formatHostPort, parseTcpTarget } from '../target.ts';
import { idOf, listArgument, numberArgument } from './arguments.ts';
import { confirm } from './confirm.ts';
import { deliveryLines } from './delivery-lines.ts';
import { manage, type ManageContext } from './manage.ts';
import { linesOrNothing, wholeList } from './whole-list.ts';

interface CreateOptions {
  to: number;
  from?: number;
  local?: number;
  remotePort?: number;
  group?: string;
  name?: string;
  protocol: 'tcp' | 'http' | 'socks5';
  allow?: string[];
  deny?: string[];
}

/** `tunnox mappings …` */
export function addMappingsCommands(program: Command, context: ManageContext): void {
  const mappings = program
    .command('mappings')
    .description('List, make and change mappings: public ports, and ports of one client that lead behind another');

  manage<{ of?: number }>(
    context,
    mappings
      .command('list', { isDefault: true })
      .description('List your mappings')
      .option('--of <client>', 'only those of which this client is source or target', numberArgument),
    async ({ api, options, call }) => {
      const filter = options.of === undefined ? {} : { client_id: options.of };
      const found = await wholeList(everyItem('mappings', (page) => api.mappings.list({ ...page, ...filter }, call)));
      const rows = found.map((one) => [
        ...[one.mapping_id, one.name || '–', sourceText(one), targetText(one), one.status],
        bytesText(one.total_bytes_in + one.total_bytes_out),
      ]);
      const lines = tableLines(['id', 'name', 'from', 'to', 'status', 'traffic'], rows);
      return {
        result: { mappings: found },
        lines: linesOrNothing(lines, found.length, 'No mappings: see `tunnox mappings create --help`.'),
      };
    },
  );

  manage(context, mappings.command('show <mapping>').description('Show one mapping'), async ({ api, call }, [id]) => {
    const mapping = await api.mappings.get(idOf(id, 'mapping id'), call);
    return { result: { mapping }, lines: describe(mapping) };
  });

  manage<CreateOptions>(
    context,
    mappings
      .command('create [target]')
      .description('Make a mapping to <target>: a port or host:port as the client --to sees it')
      .requiredOption('--to <client>', 'client behind which the target is', numberArgument)
      .option('--from <client>', 'client at which the port opens; left out: a public port', numberArgument)
      .option('--local <port>', 'port that opens at --from', numberArgument)
      .option('--remote-port <port>', 'public port; a free one if left out', numberArgument)
      .option('--group <name>', 'relay group of the public port')
      .option('--name <name>', 'a name for people')
      .addOption(new Option('--protocol <protocol>').choices(['tcp', 'http', 'socks5']).default('tcp'))
      .option('--allow <ranges>', 'addresses that may visit (CIDR, comma separated)', listArgument)
      .option('--deny <ranges>', 'addresses that may not', listArgument),
    async ({ api, options, call }, [target]) => {
      const { to, from, local, remotePort, group, name, protocol, allow, deny } = options;
      const place = target === undefined ? null : parseTcpTarget(target);
      const mapping = await api.mappings.create(
        {
          ...{ target_client_id: to, protocol },
          ...(place === null ? {} : { target_host: place.host, target_port: place.port }),
          ...(from === undefined ? {} : { source_client_id: from }),
          ...(local === undefined ? {} : { local_port: local }),
          ...(remotePort === undefined ? {} : { remote_port: remotePort }),
          ...(group === undefined ? {} : { relay_group: group }),
          ...(name === undefined ? {} : { name }),
          ...(allow === undefined && deny === undefined ? {} : { access: { allow: allow ?? [], deny: deny ?? [] } }),
        },
        call,
      );
      return { result: { mapping }, lines: changedLines(mapping, mapping.delivery) };
    },
  );

  for (const [word, enabled] of [['enable', true] as const, ['disable', false] as const]) {
    manage(
      context,
      mappings.command(`${word} <mapping>`).description(enabled ? 'Switch it on' : 'Switch it off, and keep it'),
      async ({ api, call }, [id]) => {
        const mapping = await api.mappings.update(idOf(id, 'mapping id'), { enabled }, call);
        return { result: { mapping }, lines: changedLines(mapping, mapping.delivery) };
      },
    );
  }

  manage<{ yes?: boolean }>(
    context,
    mappings.command('delete <mapping>').description('Delete it').option('-y, --yes', 'do not ask'),
    async ({ api, options, io, call }, [id]) => {
      const mapping = await api.mappings.get(idOf(id, 'mapping id'), call);
      await confirm(
        `Delete mapping ${mapping.mapping_id}, ${sourceText(mapping)} → ${targetText(mapping)}?`,
        io,
        options,
      );
      await api.mappings.delete(mapping.mapping_id, call);
      return { result: { mapping_id: mapping.mapping_id }, lines: [`Mapping ${mapping.mapping_id} is deleted`] };
    },
  );
}

/** Where people connect. */
function sourceText(mapping: Mapping): string {
  if (mapping.source_client_id !== null) return `client ${mapping.source_client_id}, port ${mapping.local_port ?? '?'}`;
  return mapping.urls[0] ?? `${mapping.protocol}:${mapping.relay_group ?? '?'}:${mapping.remote_port ?? '?'}`;
}

function targetText({ target_host: host, target_port: port, target_client_id }: Mapping): string {
  const target = host === null || port === null ? 'whatever the source names' : formatHostPort(host, port);
  return `${target} behind ${target_client_id}`;
}

function changedLines(mapping: Mapping, delivery: Delivery[]): string[] {
  const { mapping_id, status } = mapping;
  return [
    `Mapping ${mapping_id}: ${sourceText(mapping)} → ${targetText(mapping)} (${status})`,
    ...deliveryLines(delivery),
  ];
}

function describe(mapping: Mapping): string[] {
  const row = (label: string, value: string) => `${label.padEnd(14)}${value}`;
  return [
    row('Mapping', `${mapping.mapping_id} ${mapping.name}`.trimEnd()),
    ...(mapping.source_client_id === null ? mapping.urls : [sourceText(mapping)]).map((from) => row('From', from)),
    row('To', targetText(mapping)),
    row('Status', mapping.status),
    ...mapping.problems.map(({ client_id, message }) => row('Problem', `client ${client_id}: ${message}`)),
    row('Traffic', `${bytesText(mapping.total_bytes_in)} in, ${bytesText(mapping.total_bytes_out)} out`),
    row('Connections', String(mapping.total_connections)),
    ...mapping.access.allow.map((range) => row('Allowed', range)),
    ...mapping.access.deny.map((range) => row('Denied', range)),
  ];
}
