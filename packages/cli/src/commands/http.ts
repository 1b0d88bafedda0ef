import { isIP } from 'node:net';
import { parseAllowRule } from '@tunnox/agent/target/allow-rule';
import { CliError } from '../cli-error.ts';
import { unnamedDomainsIn } from '../credentials/unnamed-domains.ts';
import type { Io } from '../io.ts';
import { type GlobalOptions, resolveSettings } from '../settings.ts';
import { formatHostPort, parseHttpTarget, type TargetAddress } from '../target.ts';
import { ensureDomain } from '../tunnel/ensure-domain.ts';
import { runTunnel } from '../tunnel/run-tunnel.ts';
import { UsageError } from '../usage-error.ts';
import { openAgentClient } from './agent-client.ts';

export interface HttpOptions extends GlobalOptions {
  subdomain?: string;
  domain?: string;
  hostHeader?: string;
  targetInsecure: boolean;
}

/** `tunnox http`: an HTTP name that leads to a local service. */
export async function http(targetText: string, options: HttpOptions, io: Io): Promise<number> {
  const target = parseHttpTarget(targetText);
  const { subdomain, domain, hostHeader } = options;
  if (subdomain !== undefined && domain !== undefined) {
    throw new UsageError("Use --subdomain for a name under the server's domain, or --domain for your own, not both");
  }
  const settings = await resolveSettings(options, io.env);
  const isAnonymous = settings.apiKey === undefined && settings.client === undefined;
  if (isAnonymous && (subdomain !== undefined || domain !== undefined)) {
    throw new CliError(
      'login_required',
      'Choosing a name needs an account. Log in first: tunnox login\nWithout one you get a random name: leave --subdomain out.',
    );
  }
  const client = await openAgentClient(settings, io);
  try {
    const wish = {
      target,
      ...(subdomain === undefined ? {} : { subdomain }),
      ...(domain === undefined ? {} : { domain }),
      ...(hostHeader === undefined ? {} : { hostHeader }),
    };
    const unnamed = unnamedDomainsIn(settings.credentials, settings.server);
    return await runTunnel(
      {
        settings,
        credentials: client.credentials,
        warnings: client.warnings,
        ensure: (api, clientId) => ensureDomain(api, clientId, wish, unnamed),
        agent: {
          allow: { rules: namedByUser(target), others: 'allowed' },
          insecureTargets: options.targetInsecure,
          listenHost: '127.0.0.1',
        },
      },
      io,
    );
  } finally {
    client.release();
  }
}

/** An address that the user typed is allowed, also when it is one that agents guard. */
export function namedByUser(target: TargetAddress): ReturnType<typeof parseAllowRule>[] {
  return isIP(target.host) === 0 ? [] : [parseAllowRule(formatHostPort(target.host, target.port))];
}
