import type { NodeAddress } from '@tunnox/domain/presence';
import type { BridgeClient } from '../bridge/bridge-client.ts';
import { bridgeHeaders } from '../bridge/bridge-headers.ts';
import { asTunnelRefused } from './as-tunnel-refused.ts';
import type { Tunnel, TunnelRequest, Upstream } from './upstream.ts';

/** An agent that is attached to another relay, reached over the bridge. That relay decides. */
export class PeerUpstream implements Upstream {
  readonly kind = 'peer';
  readonly key: string;
  readonly #bridge: BridgeClient;
  readonly #node: NodeAddress;
  readonly #clientId: number;

  constructor(bridge: BridgeClient, node: NodeAddress, clientId: number) {
    this.#bridge = bridge;
    this.#node = node;
    this.#clientId = clientId;
    this.key = `peer ${node.node_id}/${node.incarnation}/${clientId}`;
  }

  get closed(): boolean {
    return !this.#bridge.knows(this.#node);
  }

  async open(request: TunnelRequest, signal: AbortSignal): Promise<Tunnel> {
    try {
      const headers = bridgeHeaders(this.#clientId, request);
      const stream = await this.#bridge.open(this.#node, request.binding.binding_id, headers, signal);
      // Counted at the agent's relay; this meter is for whoever watches the tunnel here.
      return { stream, meter: { bytesIn: 0, bytesOut: 0 } };
    } catch (error) {
      throw asTunnelRefused(error);
    }
  }
}
