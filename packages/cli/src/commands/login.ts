import { hostname } from 'node:os';
import type { ApiCaller } from '@tunnox/api-client/api-caller';
import { LoginSession } from '@tunnox/api-client/login-session';
import { ManagementApi } from '@tunnox/api-client/management-api';
import { CliError } from '../cli-error.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { openPrinter } from '../output/open-printer.ts';
import { promptSecret } from '../prompt-secret.ts';
import { openServer } from '../server/open-server.ts';
import { type GlobalOptions, resolveSettings } from '../settings.ts';
import { UsageError } from '../usage-error.ts';

export interface LoginOptions extends GlobalOptions {
  /** User name or e-mail address: log in by password. */
  user?: string;
}

interface Key {
  api_key: string;
  /** Set when this command has made it: `tunnox logout` revokes it. */
  key_id?: number;
}

/** `tunnox login`: keeps an API key for this server: one that is given, or one that is made after a log-in by password. */
export async function login(options: LoginOptions, io: Io): Promise<number> {
  const settings = await resolveSettings(options, io.env);
  const { server, credentials } = settings;
  const given = options.apiKey ?? io.env['TUNNOX_API_KEY'];
  // Asked for before the server is: who has mistyped the command sees it at once.
  const secret =
    options.user === undefined
      ? (given ?? (await promptSecret(`API key for ${server}: `, io)))
      : await promptSecret(`Password of ${options.user} at ${server}: `, io);
  if (secret === '') throw new UsageError(`No ${options.user === undefined ? 'API key' : 'password'} was given`);
  await credentials.prepare();
  const { caller } = await openServer(settings);
  const key = options.user === undefined ? { api_key: secret } : await makeKey(caller, options.user, secret, io.signal);
  const { role, user } = await new ManagementApi(caller, key.api_key).me({ signal: io.signal });
  if (role !== 'user' || user === null) {
    throw new CliError(
      'forbidden',
      `This is the key of ${role === 'operator' ? 'an operator' : `a ${role}`}: agents need a user's API key`,
    );
  }
  await credentials.update((saved) => {
    saved.logins[server] = key;
    saved.server = server;
  });
  const printer = openPrinter(io, settings.json);
  printer.print({ event: 'result', command: 'login', server, user_id: user.user_id, username: user.username });
  if (!settings.json) io.stdout.write(`Logged in at ${server} as ${user.username}\n`);
  await printer.close();
  return EXIT.ok;
}

/** Agents run for longer than a log-in lasts: they get an API key, which can be revoked by itself. */
async function makeKey(caller: ApiCaller, user: string, password: string, signal: AbortSignal): Promise<Key> {
  const session = await LoginSession.login({ caller }, { login: user, password }, signal);
  try {
    const api = new ManagementApi(caller, session.bearer);
    const { user: account } = await api.me({ signal });
    if (account === null) throw new CliError('forbidden', 'This log-in has no account');
    const { api_key, key_id } = await api.apiKeys.create(
      account.user_id,
      { name: `tunnox on ${hostname()}` },
      { signal },
    );
    return { api_key, key_id };
  } finally {
    // The key is what stays; a log-in that cannot be ended now ends by itself.
    await session.logout(signal).catch(() => {});
  }
}
