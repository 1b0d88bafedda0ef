import { ApiError } from '@tunnox/api-client/api-error';
import { ManagementApi } from '@tunnox/api-client/management-api';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { openPrinter } from '../output/open-printer.ts';
import { openServer } from '../server/open-server.ts';
import { type GlobalOptions, resolveSettings } from '../settings.ts';

/** `tunnox logout`: forgets the API key of this server, and revokes it if `tunnox login` has made it. */
export async function logout(options: GlobalOptions, io: Io): Promise<number> {
  const settings = await resolveSettings(options, io.env);
  const { server, credentials } = settings;
  const held = (await credentials.read()).logins[server];
  let revoked = false;
  if (held?.key_id !== undefined) {
    const { caller } = await openServer(settings);
    const api = new ManagementApi(caller, held.api_key);
    try {
      const { user } = await api.me({ signal: io.signal });
      if (user !== null) await api.apiKeys.revoke(user.user_id, held.key_id, { signal: io.signal });
      revoked = true;
    } catch (error) {
      // A key that is no longer good needs no revoking; one that cannot be revoked now must not be forgotten.
      if (!(error instanceof ApiError && error.code === 'unauthenticated')) throw error;
    }
  }
  if (held !== undefined) {
    await credentials.update((saved) => {
      delete saved.logins[server];
    });
  }
  const printer = openPrinter(io, settings.json);
  printer.print({
    event: 'result',
    command: 'logout',
    server,
    was_logged_in: held !== undefined,
    key_revoked: revoked,
  });
  if (!settings.json) {
    io.stdout.write(held === undefined ? `Nobody was logged in at ${server}\n` : `Logged out at ${server}\n`);
  }
  await printer.close();
  return EXIT.ok;
}
