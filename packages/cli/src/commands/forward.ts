import { CliError } from '../cli-error.ts';
import type { Io } from '../io.ts';
import { checkLocalPort } from '../local-port.ts';
import { type GlobalOptions, resolveSettings } from '../settings.ts';
import { parseTcpTarget } from '../target.ts';
import { ensureForward } from '../tunnel/ensure-mapping.ts';
import { runTunnel } from '../tunnel/run-tunnel.ts';
import { openAgentClient } from './agent-client.ts';

export interface ForwardOptions extends GlobalOptions {
  /** Client behind which the target is. */
  to: number;
  target: string;
  /** Port to open on this machine. */
  local: number;
  bind: string;
}

/** `tunnox forward`: a port of this machine that leads to a service behind another client of the same user. */
export async function forward(options: ForwardOptions, io: Io): Promise<number> {
  const target = parseTcpTarget(options.target);
  const settings = await resolveSettings(options, io.env);
  if (settings.apiKey === undefined && settings.client === undefined) {
    throw new CliError(
      'login_required',
      'Forwarding between your clients needs an account. Log in first: tunnox login',
    );
  }
  await checkLocalPort(options.bind, options.local);
  const client = await openAgentClient(settings, io);
  try {
    return await runTunnel(
      {
        settings,
        credentials: client.credentials,
        warnings: client.warnings,
        ensure: (api, clientId) =>
          ensureForward(api, clientId, { toClientId: options.to, target, localPort: options.local }),
        agent: { allow: { rules: [], others: 'allowed' }, insecureTargets: false, listenHost: options.bind },
      },
      io,
    );
  } finally {
    client.release();
  }
}
