import type { Cause } from '@tunnox/protocol/causes';
import type { Router } from '../router/router.ts';
import { TunnelRefused } from '../upstream/tunnel-refused.ts';
import type { Tunnel, TunnelRequest } from '../upstream/upstream.ts';
import { mayTryAgain } from './replay.ts';

/** What a source agent asks for, as it stands in its headers. */
export interface PrivateTunnelRequest {
  bindingId: string;
  /** Shown by the ticket. */
  sourceClientId: number;
  tunnelId: string | undefined;
  proof: string | undefined;
  /** SOCKS5 only. */
  target: string | undefined;
  /** `ip:port` of the source agent. */
  visitor: string;
}

/**
 * Opens a tunnel through a private mapping for its source agent. The relay checks that the client is the mapping's
 * source; the proof of the secret is checked by the target agent.
 *
 * @throws {TunnelRefused}
 */
export async function openPrivateTunnel(
  router: Router,
  asked: PrivateTunnelRequest,
  signal: AbortSignal,
): Promise<Tunnel> {
  const { bindingId, tunnelId, proof } = asked;
  if (!PRIVATE_BINDING.test(bindingId)) throw new TunnelRefused('unknown_binding', 'There is no such mapping');
  if (tunnelId === undefined || !ULID.test(tunnelId) || proof === undefined || proof.length > PROOF_CHARS_MAX) {
    throw new TunnelRefused('bad_proof', 'The tunnel id or the proof is missing');
  }
  const first = await tryOnce(router, asked, { tunnelId, proof }, signal);
  if ('tunnel' in first) return first.tunnel;
  // What is known here may be old: what was tried has been forgotten, so ask once more.
  if (!OUTDATED.has(first.refused.tunnelCause) || signal.aborted) throw first.refused;
  const second = await tryOnce(router, asked, { tunnelId, proof }, signal);
  if ('tunnel' in second) return second.tunnel;
  throw second.refused;
}

async function tryOnce(
  router: Router,
  { bindingId, sourceClientId, target, visitor }: PrivateTunnelRequest,
  { tunnelId, proof }: { tunnelId: string; proof: string },
  signal: AbortSignal,
): Promise<{ tunnel: Tunnel } | { refused: TunnelRefused }> {
  const decision = await router.decide(bindingId);
  switch (decision.kind) {
    case 'unknown':
      throw new TunnelRefused('unknown_binding', 'There is no such mapping');
    case 'unavailable':
      throw new TunnelRefused('busy', 'The relay cannot look the mapping up now');
    case 'offline':
    case 'open':
      break;
  }
  const { binding } = decision;
  // Whoever is not the source learns nothing of the mapping, not even whether its agent is there.
  if (binding.source_client_id !== sourceClientId) {
    throw new TunnelRefused('bad_proof', "This client is not the mapping's source");
  }
  if (decision.kind === 'offline' && !binding.enabled) {
    throw new TunnelRefused('disabled', 'This mapping is switched off');
  }
  if (decision.kind === 'offline') throw new TunnelRefused('not_here', "The mapping's target agent is not connected");
  const request: TunnelRequest = {
    binding,
    tunnelId,
    visitor,
    source: { clientId: sourceClientId, proof },
    ...(target === undefined ? {} : { target }),
  };
  let refused = new TunnelRefused('lost', 'The connection to the target agent has just ended');
  for (const upstream of decision.upstreams) {
    try {
      return { tunnel: await upstream.open(request, signal) };
    } catch (error) {
      if (!(error instanceof TunnelRefused)) throw error;
      refused = error;
      if (OUTDATED.has(error.tunnelCause)) router.forget(bindingId, upstream);
      if (signal.aborted || !mayTryAgain({ kind: 'not_opened', cause: error.tunnelCause })) break;
    }
  }
  return { refused };
}

const PRIVATE_BINDING = /^mapping:[1-9][0-9]{0,15}$/;
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const PROOF_CHARS_MAX = 128;

/** Causes that say that the agent is no longer where, or what, the router believes. */
const OUTDATED: ReadonlySet<Cause> = new Set(['not_here', 'stale_binding', 'unknown_binding', 'lost']);
