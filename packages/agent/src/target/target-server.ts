import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { HEADER } from '@tunnox/protocol/names';
import { acceptTunnel, refuseTunnel } from '@tunnox/streams/answer-tunnel';
import { type HostPort, parseHostPort } from '@tunnox/streams/host-port';
import { join } from '@tunnox/streams/join';
import { resetStream } from '@tunnox/streams/reset-stream';
import type { BindingTable, TargetBinding } from '../config/binding-table.ts';
import { Once } from '../once.ts';
import { isProof } from '../proof.ts';
import type { Traffic } from '../traffic.ts';
import type { Target, TargetDialer } from './target-dialer.ts';
import { TargetError, targetErrorOf } from './target-error.ts';

export interface TargetServerDeps {
  bindings: BindingTable;
  dialer: TargetDialer;
  traffic: Traffic;
  /** Resolves when no newer configuration is on its way, or soon. */
  configSettled: () => Promise<void>;
  /** A visitor could not be served. */
  onFailed: (bindingId: string, error: TargetError) => void;
}

/** Answers the tunnels that relays open towards this agent: dials the binding's target and joins the two. */
export class TargetServer {
  readonly #deps: TargetServerDeps;
  readonly #usedTunnels = new Once();

  constructor(deps: TargetServerDeps) {
    this.#deps = deps;
  }

  /** Serves one tunnel; never throws. */
  async serve(stream: ServerHttp2Stream, bindingId: string, headers: IncomingHttpHeaders): Promise<void> {
    const { dialer, traffic, onFailed } = this.#deps;
    const gone = new AbortController();
    const onGone = (): void => gone.abort();
    stream.once('close', onGone);
    try {
      const binding = await this.#binding(bindingId);
      const target = this.#target(binding, headers);
      const socket = await dialer.dial(target, gone.signal);
      stream.off('close', onGone);
      if (!acceptTunnel(stream)) return resetStream(socket);
      traffic.begin();
      join(stream, socket, traffic, () => traffic.end());
    } catch (error) {
      const failure = targetErrorOf(error, bindingId);
      refuseTunnel(stream, failure.tunnelCause, failure.message);
      if (!gone.signal.aborted) onFailed(bindingId, failure);
    }
  }

  /** The relay may know of a binding a moment before this agent has fetched it. */
  async #binding(bindingId: string): Promise<TargetBinding> {
    let binding = this.#deps.bindings.target(bindingId);
    if (binding === undefined) {
      await this.#deps.configSettled();
      binding = this.#deps.bindings.target(bindingId);
    }
    if (binding === undefined) throw new TargetError('unknown_binding', `This agent does not serve ${bindingId}`);
    if (!binding.enabled) throw new TargetError('disabled', `${bindingId} is switched off`);
    return binding;
  }

  #target(binding: TargetBinding, headers: IncomingHttpHeaders): Target {
    const { binding_id, secret, protocol, target_scheme: scheme, target_host: host, target_port: port } = binding;
    if (secret !== null) this.#checkProof(binding_id, secret, headers);
    if (protocol === 'socks5') return { scheme: 'tcp', ...visitorsTarget(headers) };
    if (scheme === 'udp' || host === null || port === null) {
      throw new TargetError('unknown_binding', `This version of the agent cannot serve ${protocol}`);
    }
    return { scheme, host, port };
  }

  /** The source agent proves that it knows the secret; a tunnel id counts once, so a relay cannot use a proof again. */
  #checkProof(bindingId: string, secret: string, headers: IncomingHttpHeaders): void {
    const { [HEADER.proof]: proof, [HEADER.source]: source, [HEADER.tunnel]: tunnelId } = headers;
    const given = typeof proof === 'string' && typeof source === 'string' && typeof tunnelId === 'string';
    if (
      given &&
      isProof(proof, secret, bindingId, source, tunnelId) &&
      this.#usedTunnels.take(`${bindingId} ${tunnelId}`)
    ) {
      return;
    }
    throw new TargetError('bad_proof', 'The source agent does not know the secret of this mapping');
  }
}

/** SOCKS5: the source names the target. The allow list is the dialer's. */
function visitorsTarget(headers: IncomingHttpHeaders): HostPort {
  const target = headers[HEADER.target];
  try {
    return parseHostPort(typeof target === 'string' ? target : '');
  } catch {
    throw new TargetError('unreachable', 'The visitor named no target');
  }
}
