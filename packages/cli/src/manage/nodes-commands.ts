import type { NodeDetails } from '@tunnox/domain/api/nodes';
import type { Command } from 'commander';
import { ageText } from '../output/age.ts';
import { bytesText } from '../output/status.ts';
import { tableLines } from '../output/table.ts';
import { numberArgument } from './arguments.ts';
import { manage, type ManageContext } from './manage.ts';
import { linesOrNothing } from './whole-list.ts';

/** `tunnox nodes …`, for operators. */
export function addNodesCommands(program: Command, context: ManageContext): void {
  const nodes = program.command('nodes').description('List and drain relays (operators)');

  manage(
    context,
    nodes.command('list', { isDefault: true }).description('List the relays'),
    async ({ api, call, nowMs }) => {
      const { nodes: found } = await api.nodes.list({}, call);
      const rows = found.map((node) => [
        ...[node.node_id, node.status, node.relay_group, node.region, node.address, node.online_clients, node.tunnels],
        ...[
          `${Math.round(node.cpu_usage * 100)} %`,
          bytesText(node.memory_usage),
          `${bytesText(node.bandwidth_usage)}/s`,
        ],
        ...[ageText(node.last_heartbeat, nowMs), node.version],
      ]);
      const heads = ['id', 'status', 'group', 'region', 'address', 'clients', 'tunnels', 'cpu', 'memory', 'bandwidth'];
      const lines = tableLines([...heads, 'seen', 'version'], rows);
      return { result: { nodes: found }, lines: linesOrNothing(lines, found.length, 'No relay has registered yet.') };
    },
  );

  manage(context, nodes.command('show <node>').description('Show one relay'), async ({ api, call }, [id = '']) => {
    const node = await api.nodes.get(id, call);
    return { result: { node }, lines: describe(node) };
  });

  manage<{ deadline?: number }>(
    context,
    nodes
      .command('drain <node>')
      .description('Send its agents and visitors to other relays')
      .option('--deadline <seconds>', 'how long open tunnels may go on', numberArgument),
    async ({ api, options, call }, [id = '']) => {
      const drained = await api.nodes.drain(id, options.deadline, call);
      return { result: drained, lines: [`${drained.node_id} takes no more visitors and sends its agents away`] };
    },
  );
}

function describe(node: NodeDetails): string[] {
  const row = (label: string, value: string) => `${label.padEnd(14)}${value}`;
  return [
    row('Relay', `${node.node_id} (${node.status}), version ${node.version}`),
    row('Address', node.address),
    row('Group', `${node.relay_group}, region ${node.region}`),
    row('Public ports', `${node.public_from}–${node.public_to}`),
    row('Up for', `${Math.floor(node.uptime_s / 3600)} h ${Math.floor((node.uptime_s % 3600) / 60)} min`),
    row('Load', `${Math.round(node.cpu_usage * 100)} % CPU, ${bytesText(node.memory_usage)}`),
    row('Tunnels', `${node.tunnels}, ${bytesText(node.bandwidth_usage)}/s`),
    row('Clients', node.client_ids.length === 0 ? 'none' : node.client_ids.join(', ')),
  ];
}
