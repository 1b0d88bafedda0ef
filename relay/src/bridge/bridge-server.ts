import type { ServerHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Binding } from '@tunnox/domain/binding';
import type { NodeAddress } from '@tunnox/domain/presence';
import { watchLiveness } from '@tunnox/streams/liveness';
import { routeStreams } from '@tunnox/streams/route-streams';
import { serveSession } from '@tunnox/streams/serve-session';
import type { TimerWheel } from '@tunnox/streams/timer-wheel';
import type { AgentSession } from '../session/agent-session.ts';
import type { SessionRegistry } from '../session/session-registry.ts';
import { ServedTunnels } from '../upstream/served-tunnels.ts';
import { TunnelRefused } from '../upstream/tunnel-refused.ts';
import type { Tunnel, Upstream } from '../upstream/upstream.ts';
import { type BridgeRequest, parseBridgeHeaders } from './bridge-headers.ts';

/**
 * How long a peer waits here for the push of a binding that it has just looked up: the push to this relay may be a
 * moment behind.
 */
const PUSH_WAIT_MS = 2_000;

export interface BridgeServerDeps {
  registry: SessionRegistry;
  /** The agent of a client here, as the router would get it. Never another relay: a tunnel crosses the bridge once. */
  local: (clientId: number) => Upstream | undefined;
  /** Of `BRIDGE_PING_MS` a round. */
  pings: TimerWheel;
}

export interface BridgeServerSnapshot {
  sessions: number;
  tunnelsActive: number;
  tunnelsOpened: number;
  /** By cause. */
  refused: Record<string, number>;
}

/** The answering side of the bridge: opens tunnels of peers to the agents that are attached here. */
export class BridgeServer {
  readonly #deps: BridgeServerDeps;
  readonly #sessions = new Map<ServerHttp2Session, NodeAddress>();
  readonly #tunnels = new ServedTunnels();

  constructor(deps: BridgeServerDeps) {
    this.#deps = deps;
  }

  /** Takes the connection of a peer over whose key has been checked. */
  accept(socket: Duplex & { bytesRead?: number }, peer: NodeAddress): void {
    const session = serveSession(socket, { elastic: false });
    this.#sessions.set(session, peer);
    session.once('close', () => this.#sessions.delete(session));
    watchLiveness(session, socket, this.#deps.pings);
    routeStreams(session, {
      tunnel: (stream, authority, headers) =>
        void this.#tunnels.serve(stream, async (signal) => this.#open(parseBridgeHeaders(authority, headers), signal)),
    });
  }

  /** Ends the sessions of peers for which `keep` is false: those that are no longer registered. */
  retain(keep: (peer: NodeAddress) => boolean): void {
    for (const [session, peer] of this.#sessions) if (!keep(peer)) session.destroy();
  }

  /** Ends all sessions. */
  stop(): void {
    this.retain(() => false);
  }

  snapshot(): BridgeServerSnapshot {
    const { active, opened, refused } = this.#tunnels.snapshot();
    return { sessions: this.#sessions.size, tunnelsActive: active, tunnelsOpened: opened, refused };
  }

  /** @throws {TunnelRefused} */
  async #open(request: BridgeRequest | null, signal: AbortSignal): Promise<Tunnel> {
    if (request === null) throw new TunnelRefused('unknown_binding', 'The headers of the tunnel cannot be read');
    const { registry, local } = this.#deps;
    const session = registry.get(request.clientId);
    if (session === undefined) throw notHere();
    const binding = await pushedBinding(session, request, signal);
    const upstream = local(request.clientId);
    if (upstream === undefined) throw notHere();
    const { tunnelId, visitor, source, target } = request;
    return upstream.open(
      {
        binding,
        tunnelId,
        visitor,
        ...(source === undefined ? {} : { source }),
        ...(target === undefined ? {} : { target }),
      },
      signal,
    );
  }
}

/** @throws {TunnelRefused} `stale_binding`, `unknown_binding`, or `busy` while no policy is known */
async function pushedBinding(session: AgentSession, request: BridgeRequest, signal: AbortSignal): Promise<Binding> {
  const find = (): Binding | undefined =>
    session.policy?.bindings.find((binding) => binding.binding_id === request.bindingId);
  await session.policyReady(() => (find()?.version ?? 0) >= request.bindingVersion, PUSH_WAIT_MS, signal);
  signal.throwIfAborted();
  const binding = find();
  if (binding === undefined) {
    throw session.policy === null
      ? new TunnelRefused('busy', 'The agent has just connected and its bindings are not known yet')
      : new TunnelRefused('unknown_binding', 'The agent has no such binding');
  }
  if (binding.version > request.bindingVersion) throw new TunnelRefused('stale_binding', 'The binding has changed');
  return binding;
}

function notHere(): TunnelRefused {
  return new TunnelRefused('not_here', 'The client is not attached to this relay');
}
