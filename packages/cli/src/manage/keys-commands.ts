import type { CreateApiKey } from '@tunnox/domain/api/users';
import type { Command } from 'commander';
import { ageText } from '../output/age.ts';
import { tableLines } from '../output/table.ts';
import { UsageError } from '../usage-error.ts';
import { idOf, listArgument, numberArgument } from './arguments.ts';
import { manage, type ManageContext, type Manager } from './manage.ts';
import { linesOrNothing } from './whole-list.ts';

interface UserOption {
  user?: number;
}

interface CreateOptions extends UserOption {
  scope?: string[];
  expires?: string;
}

const USER_OPTION = ['--user <id>', "another user's (operators)", numberArgument] as const;

/** `tunnox keys …` */
export function addKeysCommands(program: Command, context: ManageContext): void {
  const keys = program.command('keys').description('List, make and revoke API keys');

  manage<UserOption>(
    context,
    keys
      .command('list', { isDefault: true })
      .description('List your API keys')
      .option(...USER_OPTION),
    async (manager) => {
      const { api, call, nowMs } = manager;
      const found = await api.apiKeys.list(await userOf(manager), call);
      const rows = found.map((key) => [
        ...[key.key_id, key.name || '–', `${key.prefix}…`, key.scopes.join(' ')],
        ...[ageText(key.last_used_at, nowMs), key.expires_at ?? 'never'],
      ]);
      const lines = tableLines(['id', 'name', 'key', 'scopes', 'used', 'ends'], rows);
      return { result: { api_keys: found }, lines: linesOrNothing(lines, found.length, 'No API keys.') };
    },
  );

  manage<CreateOptions>(
    context,
    keys
      .command('create [name]')
      .description('Make an API key; it is shown once')
      .option('--scope <scopes>', 'what it may do: read, write, clients:read, … (comma separated)', listArgument)
      .option('--expires <moment>', 'when it ends, such as 2027-01-31T00:00:00Z')
      .option(...USER_OPTION),
    async (manager, [name]) => {
      const { api, options, call } = manager;
      const { scope, expires } = options;
      const key = await api.apiKeys.create(
        await userOf(manager),
        {
          ...(name === undefined ? {} : { name }),
          // The server knows which scopes there are.
          ...(scope === undefined ? {} : { scopes: scope as NonNullable<CreateApiKey['scopes']> }),
          ...(expires === undefined ? {} : { expires_at: momentOf(expires) }),
        },
        call,
      );
      return { result: { api_key: key }, lines: [`Key ${key.key_id}, shown this once: ${key.api_key}`] };
    },
  );

  manage<UserOption>(
    context,
    keys
      .command('revoke <key>')
      .description('Revoke an API key')
      .option(...USER_OPTION),
    async (manager, [id]) => {
      const keyId = idOf(id, 'key id');
      await manager.api.apiKeys.revoke(await userOf(manager), keyId, manager.call);
      return { result: { key_id: keyId }, lines: [`Key ${keyId} is revoked`] };
    },
  );
}

/** Whose keys are meant: one's own, or those of the user that an operator names. */
export async function userOf({ api, options, call }: Manager<UserOption>): Promise<number> {
  if (options.user !== undefined) return options.user;
  const { user } = await api.me(call);
  if (user === null) throw new UsageError('Name the user by --user: this is the key of an operator');
  return user.user_id;
}

function momentOf(text: string): string {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new UsageError(`Cannot use '${text}' as a moment: write it as 2027-01-31T00:00:00Z`);
  return new Date(at).toISOString();
}
