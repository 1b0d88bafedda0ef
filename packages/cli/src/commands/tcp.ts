import { CliError } from '../cli-error.ts';
import type { Io } from '../io.ts';
import { type GlobalOptions, resolveSettings } from '../settings.ts';
import { parseTcpTarget } from '../target.ts';
import { ensurePublicPort } from '../tunnel/ensure-mapping.ts';
import { runTunnel } from '../tunnel/run-tunnel.ts';
import { openAgentClient } from './agent-client.ts';
import { namedByUser } from './http.ts';

export interface TcpOptions extends GlobalOptions {
  remotePort?: number;
}

/** `tunnox tcp`: a public port that leads to a local service. */
export async function tcp(targetText: string, options: TcpOptions, io: Io): Promise<number> {
  const target = parseTcpTarget(targetText);
  const settings = await resolveSettings(options, io.env);
  if (settings.apiKey === undefined && settings.client === undefined) {
    throw new CliError('login_required', 'A public port needs an account. Log in first: tunnox login');
  }
  const client = await openAgentClient(settings, io);
  try {
    return await runTunnel(
      {
        settings,
        credentials: client.credentials,
        warnings: client.warnings,
        ensure: (api, clientId) => ensurePublicPort(api, clientId, target, options.remotePort),
        agent: {
          allow: { rules: namedByUser(target), others: 'allowed' },
          insecureTargets: false,
          listenHost: '127.0.0.1',
        },
      },
      io,
    );
  } finally {
    client.release();
  }
}
