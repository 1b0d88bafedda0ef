import { everyItem } from '@tunnox/api-client/every-item';
import type { Client } from '@tunnox/domain/api/clients';
import type { Command } from 'commander';
import { ageText } from '../output/age.ts';
import { tableLines } from '../output/table.ts';
import { idOf, numberArgument } from './arguments.ts';
import { confirm } from './confirm.ts';
import type { Settings } from '../settings.ts';
import { UsageError } from '../usage-error.ts';
import { manage, type ManageContext } from './manage.ts';
import { linesOrNothing, wholeList } from './whole-list.ts';

interface CreateOptions {
  description?: string;
  namespace?: number;
  user?: number;
}

/** `tunnox clients …` */
export function addClientsCommands(program: Command, context: ManageContext): void {
  const clients = program.command('clients').description('List, make and change clients: the identities of agents');

  manage<{ namespace?: number; user?: number }>(
    context,
    clients
      .command('list', { isDefault: true })
      .description('List your clients')
      .option('--namespace <id>', 'only those of this team', numberArgument)
      .option('--user <id>', "another user's (operators)", numberArgument),
    async ({ api, options, call, nowMs }) => {
      const { namespace: namespace_id, user: user_id } = options;
      const filter = {
        ...(namespace_id === undefined ? {} : { namespace_id }),
        ...(user_id === undefined ? {} : { user_id }),
      };
      const found = await wholeList(everyItem('clients', (page) => api.clients.list({ ...page, ...filter }, call)));
      const rows = found.map((one) => [
        ...[one.client_id, one.client_name, one.status, one.node_id ?? '–', one.client_type],
        one.status === 'online' ? 'now' : ageText(one.last_seen_at, nowMs),
      ]);
      const lines = tableLines(['id', 'name', 'status', 'relay', 'type', 'seen'], rows);
      return {
        result: { clients: found },
        lines: linesOrNothing(lines, found.length, 'No clients: `tunnox clients create <name>` makes one.'),
      };
    },
  );

  manage(
    context,
    clients.command('show <client>').description('Show one client'),
    async ({ api, call, nowMs }, [id]) => {
      const client = await api.clients.get(idOf(id, 'client id'), call);
      return { result: { client }, lines: describe(client, nowMs) };
    },
  );

  manage<CreateOptions>(
    context,
    clients
      .command('create <name>')
      .description('Make a client; its code is shown once')
      .option('--description <text>', 'what it is for')
      .option('--namespace <id>', 'team that shares it', numberArgument)
      .option('--user <id>', 'for this user (operators)', numberArgument),
    async ({ api, options, call }, [name = '']) => {
      const { description, namespace, user } = options;
      const made = await api.clients.create(
        {
          client_name: name,
          ...(description === undefined ? {} : { client_desc: description }),
          ...(namespace === undefined ? {} : { namespace_id: namespace }),
          ...(user === undefined ? {} : { user_id: user }),
        },
        call,
      );
      const lines = [
        `Client ${made.client_id} (${made.client_name}) is made. Its code is shown this once:`,
        '',
        `  client_id: ${made.client_id}`,
        `  auth_code: ${made.auth_code}`,
        '',
        'Put both into the file of `tunnox run -c <file>` on its machine.',
      ];
      return { result: { client: made }, lines };
    },
  );

  for (const [word, enabled] of [['enable', true] as const, ['disable', false] as const]) {
    manage(
      context,
      clients
        .command(`${word} <client>`)
        .description(enabled ? 'Let its agent in again' : 'Send its agent away, and let it in no more'),
      async ({ api, call }, [id]) => {
        const client = await api.clients.update(idOf(id, 'client id'), { enabled }, call);
        return { result: { client }, lines: [`Client ${client.client_id} is ${client.status}`] };
      },
    );
  }

  manage(
    context,
    clients.command('rotate-code <client>').description('Give it a new code; the old one and its tickets are void'),
    async ({ api, call }, [id]) => {
      const rotated = await api.clients.rotateCode(idOf(id, 'client id'), call);
      const lines = [`The new code of client ${rotated.client_id}, shown this once: ${rotated.auth_code}`];
      return { result: rotated, lines };
    },
  );

  manage(
    context,
    clients.command('disconnect <client>').description('Send its agent away; one that runs as a service comes back'),
    async ({ api, call }, [id]) => {
      const clientId = idOf(id, 'client id');
      await api.clients.disconnect(clientId, call);
      return { result: { client_id: clientId }, lines: [`The agent of client ${clientId} is sent away`] };
    },
  );

  manage<{ yes?: boolean }>(
    context,
    clients
      .command('delete <client>')
      .description('Delete it with all that only it serves')
      .option('-y, --yes', 'do not ask'),
    async ({ api, options, io, call }, [id]) => {
      const client = await api.clients.get(idOf(id, 'client id'), call);
      await confirm(
        `Delete client ${client.client_id} (${client.client_name}) with its mappings and names?`,
        io,
        options,
      );
      await api.clients.delete(client.client_id, call);
      return { result: { client_id: client.client_id }, lines: [`Client ${client.client_id} is deleted`] };
    },
  );

  manage<{ code?: string; name?: string }>(
    context,
    clients
      .command('claim <client>')
      .description('Make an anonymous client yours, its name kept; its agent goes on by itself')
      .option('--code <code>', 'its code; absent: as saved on this machine, where its agent runs')
      .option('--name <name>', 'name of the new client'),
    async ({ api, options, settings, call }, [id]) => {
      const clientId = idOf(id, 'client id');
      const claimed = await api.clients.claim(
        {
          anonymous_client_id: clientId,
          auth_code: options.code ?? (await savedCode(settings, clientId)),
          ...(options.name === undefined ? {} : { new_client_name: options.name }),
        },
        call,
      );
      return { result: claimed, lines: [claimed.message, `Its new id is ${claimed.new_client_id}`] };
    },
  );
}

/** @throws {UsageError} unless its agent runs on this machine, by the same user */
async function savedCode({ credentials, server }: Settings, clientId: number): Promise<string> {
  const { clients } = await credentials.read();
  const saved = clients.find((each) => each.server === server && each.client_id === clientId && each.auth_code !== '');
  if (saved !== undefined) return saved.auth_code;
  throw new UsageError(
    `The code of client ${clientId} is not in ${credentials.path}: give it by --code, from the same file where its agent runs`,
  );
}

function describe(client: Client, nowMs: number): string[] {
  const row = (label: string, value: string) => `${label.padEnd(14)}${value}`;
  return [
    row('Client', `${client.client_id} ${client.client_name}`),
    ...(client.client_desc === '' ? [] : [row('Description', client.client_desc)]),
    row('Status', client.status + (client.node_id === null ? '' : ` at ${client.node_id}`)),
    ...(client.suspended ? [row('Suspended', client.suspended_reason ?? 'by an operator')] : []),
    row('Type', client.client_type),
    row('Seen', client.status === 'online' ? 'now' : ageText(client.last_seen_at, nowMs)),
    row('Configuration', `version ${client.config_version}, applied ${client.config_applied_version}`),
    ...(client.expires_at === null ? [] : [row('Ends', client.expires_at)]),
  ];
}
