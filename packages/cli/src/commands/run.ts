import type { Io } from '../io.ts';
import { readRunFile } from '../run-file.ts';
import { type GlobalOptions, resolveSettings } from '../settings.ts';
import { runTunnel } from '../tunnel/run-tunnel.ts';
import { FixedClient } from '../credentials/fixed-client.ts';
import { openAgentClient, type AgentClient } from './agent-client.ts';

export interface RunOptions extends GlobalOptions {
  config: string;
}

/** `tunnox run`: a managed client whose mappings come from the server. */
export async function run(options: RunOptions, io: Io): Promise<number> {
  const file = await readRunFile(options.config);
  const settings = await resolveSettings(options, io.env, { server: file.server, apiKey: file.apiKey });
  const warnings: AgentClient['warnings'] = [];
  const named = file.clientId !== undefined && settings.client === undefined;
  const client: AgentClient =
    named && file.authCode !== undefined
      ? {
          credentials: await FixedClient.open(
            settings.credentials,
            settings.server,
            { clientId: file.clientId as number, authCode: file.authCode },
            warnings,
          ),
          warnings,
          release: () => {},
        }
      : await openAgentClient(named ? { ...settings, client: file.clientId as number } : settings, io);
  try {
    return await runTunnel(
      {
        settings,
        credentials: client.credentials,
        warnings: client.warnings,
        ensure: null,
        agent: {
          allow: { rules: file.allow ?? [], others: file.allow === undefined ? 'allowed' : 'denied' },
          insecureTargets: file.insecureTargets,
          listenHost: file.bind,
        },
      },
      io,
    );
  } finally {
    client.release();
  }
}
