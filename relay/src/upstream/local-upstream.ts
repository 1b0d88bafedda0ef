import type { Binding } from '@tunnox/domain/binding';
import { HEADER } from '@tunnox/protocol/names';
import type { Admission } from '../limits/admission.ts';
import type { AgentSession } from '../session/agent-session.ts';
import { asTunnelRefused } from './as-tunnel-refused.ts';
import { closeReasonOf, type LoggedTunnel, type TunnelLog, visitorOf } from './tunnel-log.ts';
import { TunnelRefused } from './tunnel-refused.ts';
import type { Tunnel, TunnelRequest, Upstream } from './upstream.ts';

/** An agent that is attached to this relay: here it is decided whether a tunnel may be opened. */
export class LocalUpstream implements Upstream {
  readonly kind = 'local';
  readonly key: string;
  readonly #session: AgentSession;
  readonly #admission: Admission;
  readonly #log: TunnelLog;

  constructor(session: AgentSession, admission: Admission, log: TunnelLog) {
    this.#session = session;
    this.#admission = admission;
    this.#log = log;
    this.key = `local ${session.key}`;
  }

  get closed(): boolean {
    return this.#session.closed;
  }

  async open(request: TunnelRequest, signal: AbortSignal): Promise<Tunnel> {
    const { client, policy } = this.#session;
    const binding = this.#binding(request.binding);
    const admitted = this.#admission.admit(client.client_id, policy, binding, request.visitor);
    let stream;
    try {
      stream = await this.#session.openTunnel(binding.binding_id, headersOf(request), signal);
    } catch (error) {
      admitted.release();
      throw asTunnelRefused(error);
    }
    const log = this.#log;
    const logged: LoggedTunnel = {
      tunnelId: request.tunnelId,
      bindingId: binding.binding_id,
      clientId: client.client_id,
      userId: policy === null ? binding.user_id : policy.user_id,
      visitor: visitorOf(request),
      startedAtMs: log.now(),
      meter: admitted.meter,
      endedAtMs: 0,
      closeReason: '',
    };
    const ended = (): void => {
      admitted.release();
      if (logged.closeReason !== '') return;
      logged.endedAtMs = log.now();
      logged.closeReason = closeReasonOf(stream, this.#session.gone);
      log.ended(logged);
    };
    stream.once('close', ended);
    if (stream.destroyed) ended();
    return { stream: admitted.shape(stream), meter: admitted.meter };
  }

  /** @throws {TunnelRefused} `stale_binding` when the control plane has pushed a newer version than the caller's */
  #binding(asked: Binding): Binding {
    const pushed = this.#session.policy?.bindings.find((each) => each.binding_id === asked.binding_id);
    if (pushed !== undefined && pushed.version > asked.version) {
      throw new TunnelRefused('stale_binding', 'The binding has changed');
    }
    return asked;
  }
}

function headersOf(request: TunnelRequest): Record<string, string | undefined> {
  const { source } = request;
  return {
    [HEADER.tunnel]: request.tunnelId,
    [HEADER.visitor]: request.visitor,
    [HEADER.source]: source === undefined ? undefined : String(source.clientId),
    [HEADER.proof]: source?.proof,
    [HEADER.target]: request.target,
  };
}
