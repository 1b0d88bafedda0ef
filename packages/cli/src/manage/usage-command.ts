import type { QuotaUse } from '@tunnox/domain/api/users';
import type { Command } from 'commander';
import { bytesText } from '../output/status.ts';
import { tableLines } from '../output/table.ts';
import { numberArgument } from './arguments.ts';
import { userOf } from './keys-commands.ts';
import { manage, type ManageContext } from './manage.ts';

/** `tunnox usage` */
export function addUsageCommand(program: Command, context: ManageContext): void {
  manage<{ user?: number }>(
    context,
    program
      .command('usage')
      .description('Show what your plan allows and what is used of it')
      .option('--user <id>', "another user's (operators)", numberArgument),
    async (manager) => {
      const usage = await manager.api.users.quota(await userOf(manager), manager.call);
      return { result: usage, lines: usageLines(usage) };
    },
  );
}

function usageLines(usage: QuotaUse): string[] {
  const count = (value: number | null) => (value === null ? 'unlimited' : String(value));
  const bytes = (value: number | null, unit = '') => (value === null ? 'unlimited' : `${bytesText(value)}${unit}`);
  const percent = (value: number | null) => (value === null ? '–' : `${Math.round(value)} %`);
  return [
    ...tableLines(
      ['limit', 'used', 'of', 'share'],
      [
        ['Clients', count(usage.current_clients), count(usage.max_clients), percent(usage.clients_usage_percent)],
        [
          'Mappings and names',
          count(usage.current_mappings),
          count(usage.max_mappings),
          percent(usage.mappings_usage_percent),
        ],
        [
          'Active at once',
          ...[count(usage.current_active_mappings), count(usage.max_active_mappings)],
          percent(usage.active_mappings_usage_percent),
        ],
        ['Connections of a mapping', '–', count(usage.max_connections_per_mapping), '–'],
        [
          'Bandwidth',
          ...[bytes(usage.current_bandwidth, '/s'), bytes(usage.total_bandwidth_limit, '/s')],
          percent(usage.bandwidth_usage_percent),
        ],
        [
          'Traffic this month',
          ...[bytes(usage.current_month_traffic), bytes(usage.monthly_traffic_limit)],
          percent(usage.traffic_usage_percent),
        ],
      ],
    ),
    '',
    `The month's traffic begins anew at ${usage.traffic_resets_at}.`,
  ];
}
