import type { Binding } from '@tunnox/domain/binding';
import type { Cause } from '@tunnox/protocol/causes';
import type { Decision, Router } from '../router/router.ts';
import { TunnelRefused } from '../upstream/tunnel-refused.ts';
import type { Tunnel, Upstream } from '../upstream/upstream.ts';
import { mayTryAgain } from './replay.ts';

type OpenDecision = Extract<Decision, { kind: 'open' }>;

/** A tunnel and where it leads, or the newer decision that there is none to open. */
export type Opened =
  | { kind: 'opened'; tunnel: Tunnel; binding: Binding; upstream: Upstream }
  | { kind: 'decided'; decision: Exclude<Decision, OpenDecision> };

export interface OpenTunnelParams {
  endpoint: string;
  decision: OpenDecision;
  /** `ip:port` */
  visitor: string;
  newTunnelId: () => string;
  /** Ends the tries: the visitor is gone, or the time is up. */
  signal: AbortSignal;
}

/**
 * Opens a tunnel through the first upstream that gives one. When an upstream shows that what we know is old, the
 * router forgets it and is asked again, once.
 *
 * @throws {TunnelRefused} with the cause of the last try
 */
export async function openTunnel(router: Router, params: OpenTunnelParams): Promise<Opened> {
  const first = await tryUpstreams(router, params, params.decision);
  if (first.kind === 'opened') return first;
  if (!first.stale) throw first.refused;
  const decision = await router.decide(params.endpoint);
  if (decision.kind !== 'open') return { kind: 'decided', decision };
  const second = await tryUpstreams(router, params, decision);
  if (second.kind === 'opened') return second;
  throw second.refused;
}

interface NoneOpened {
  kind: 'none';
  refused: TunnelRefused;
  /** The router was made to forget something: asking it again makes sense. */
  stale: boolean;
}

async function tryUpstreams(
  router: Router,
  params: OpenTunnelParams,
  { binding, upstreams }: OpenDecision,
): Promise<Extract<Opened, { kind: 'opened' }> | NoneOpened> {
  let refused = new TunnelRefused('lost', 'The connection to the agent has just ended');
  let stale = false;
  for (const upstream of upstreams) {
    if (upstream.closed) {
      router.forget(params.endpoint, upstream);
      stale = true;
      continue;
    }
    try {
      const request = { binding, tunnelId: params.newTunnelId(), visitor: params.visitor };
      return { kind: 'opened', tunnel: await upstream.open(request, params.signal), binding, upstream };
    } catch (error) {
      refused = asRefused(error);
      if (params.signal.aborted || !mayTryAgain({ kind: 'not_opened', cause: refused.tunnelCause })) break;
      if (OUTDATED.has(refused.tunnelCause)) {
        router.forget(params.endpoint, upstream);
        stale = true;
      }
    }
  }
  return { kind: 'none', refused, stale: stale && !params.signal.aborted };
}

/** Causes that say that the agent is no longer where, or what, the router believes. */
const OUTDATED: ReadonlySet<Cause> = new Set(['not_here', 'stale_binding', 'unknown_binding', 'lost']);

function asRefused(error: unknown): TunnelRefused {
  if (error instanceof TunnelRefused) return error;
  return new TunnelRefused('lost', 'The tunnel could not be opened', { cause: error });
}
