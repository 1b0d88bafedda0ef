import { ManagementApi } from '@tunnox/api-client/management-api';
import { CliError } from '../cli-error.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { openPrinter } from '../output/open-printer.ts';
import { promptSecret } from '../prompt-secret.ts';
import { openServer } from '../server/open-server.ts';
import { type GlobalOptions, resolveSettings } from '../settings.ts';
import { UsageError } from '../usage-error.ts';

/** `tunnox login`: checks an API key and keeps it for this server. */
export async function login(options: GlobalOptions, io: Io): Promise<number> {
  const settings = await resolveSettings(options, io.env);
  const { server, credentials } = settings;
  const given = options.apiKey ?? io.env['TUNNOX_API_KEY'];
  const apiKey = given ?? (await promptSecret(`API key for ${server}: `, io));
  if (apiKey === '') throw new UsageError('No API key was given');
  await credentials.prepare();
  const { caller } = await openServer(settings);
  const { role, user } = await new ManagementApi(caller, apiKey).me({ signal: io.signal });
  if (role !== 'user' || user === null) {
    throw new CliError(
      'forbidden',
      `This is the key of ${role === 'operator' ? 'an operator' : `a ${role}`}: agents need a user's API key`,
    );
  }
  await credentials.update((saved) => {
    saved.logins[server] = { api_key: apiKey };
    saved.server = server;
  });
  const printer = openPrinter(io, settings.json);
  printer.print({ event: 'result', command: 'login', server, user_id: user.user_id, username: user.username });
  if (!settings.json) io.stdout.write(`Logged in at ${server} as ${user.username}\n`);
  await printer.close();
  return EXIT.ok;
}
