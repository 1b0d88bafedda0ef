import type { NodeAddress } from '@tunnox/domain/presence';
import type { BridgeClient } from '../bridge/bridge-client.ts';
import type { Admission } from '../limits/admission.ts';
import type { AgentSession } from '../session/agent-session.ts';
import type { SessionRegistry } from '../session/session-registry.ts';
import { LocalUpstream } from './local-upstream.ts';
import { PeerUpstream } from './peer-upstream.ts';
import type { TunnelLog } from './tunnel-log.ts';
import type { Upstream } from './upstream.ts';

export interface UpstreamFactoryDeps {
  registry: SessionRegistry;
  admission: Admission;
  bridge: BridgeClient;
  /** Tunnels to agents here that have ended. */
  log: TunnelLog;
}

/** Makes the upstreams of which a router chooses. */
export class UpstreamFactory {
  readonly #deps: UpstreamFactoryDeps;
  readonly #locals = new WeakMap<AgentSession, LocalUpstream>();

  constructor(deps: UpstreamFactoryDeps) {
    this.#deps = deps;
  }

  /** The client's agent here; undefined when it is not attached to this relay. */
  local(clientId: number): Upstream | undefined {
    const { registry, admission, log } = this.#deps;
    const session = registry.get(clientId);
    if (session === undefined) return undefined;
    let upstream = this.#locals.get(session);
    if (upstream === undefined) this.#locals.set(session, (upstream = new LocalUpstream(session, admission, log)));
    return upstream;
  }

  /** The client's agent at another relay. */
  peer(node: NodeAddress, clientId: number): Upstream {
    return new PeerUpstream(this.#deps.bridge, node, clientId);
  }
}
