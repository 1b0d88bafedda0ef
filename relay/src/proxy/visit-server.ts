import type { IncomingHttpHeaders, ServerHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Hello } from '@tunnox/protocol/control-message';
import { HEADER } from '@tunnox/protocol/names';
import { PROTOCOL_VERSION } from '@tunnox/protocol/version';
import { acceptTunnel } from '@tunnox/streams/answer-tunnel';
import { AGENT_PING_MS, watchLiveness } from '@tunnox/streams/liveness';
import { routeStreams } from '@tunnox/streams/route-streams';
import { serveSession } from '@tunnox/streams/serve-session';
import type { TimerWheel } from '@tunnox/streams/timer-wheel';
import type { Clock } from '../clock.ts';
import type { Router } from '../router/router.ts';
import { HELLO_TIMEOUT_MS } from '../session/agent-session-server.ts';
import { refuse } from '../session/attach-session.ts';
import { checkHello, HelloRefused } from '../session/check-hello.ts';
import { endSession } from '../session/end-session.ts';
import { listenToAgent, type RelayChannel } from '../session/listen-to-agent.ts';
import type { TicketVerifier } from '../session/ports.ts';
import type { SessionRegistry } from '../session/session-registry.ts';
import { RefusalCounts, refuseAgent } from '../session/refuse-agent.ts';
import { ServedTunnels } from '../upstream/served-tunnels.ts';
import { TunnelRefused } from '../upstream/tunnel-refused.ts';
import type { Tunnel } from '../upstream/upstream.ts';
import { openPrivateTunnel } from './open-private-tunnel.ts';

export interface VisitServerDeps {
  verifier: TicketVerifier;
  /** What this relay knows of clients' credentials, and whether it takes anybody new. */
  registry: Pick<SessionRegistry, 'credentialObjection' | 'draining'>;
  router: Router;
  clock: Clock;
  /** Of `AGENT_PING_MS` a round. */
  pings: TimerWheel;
}

export interface VisitServerOptions {
  /** From registration. */
  nodeId: string;
  /** Relay group for which tickets are good here. */
  group: string;
}

export interface VisitServerSnapshot {
  /** Visiting connections that are welcomed and open. */
  sessions: number;
  tunnelsActive: number;
  tunnelsOpened: number;
  /** Hellos that were refused, by code. */
  refused: Record<string, number>;
  /** Tunnels that were refused, by cause. */
  tunnelsRefused: Record<string, number>;
}

/** Serves source agents of private mappings: joins their tunnels to the mappings' target agents, here or elsewhere. */
export class VisitServer {
  readonly #deps: VisitServerDeps;
  readonly #options: VisitServerOptions;
  readonly #visits = new Map<ServerHttp2Session, { clientId: number; channel: RelayChannel }>();
  readonly #refused = new RefusalCounts();
  readonly #tunnels = new ServedTunnels();

  constructor(deps: VisitServerDeps, options: VisitServerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Takes a connection over, from the HTTP/2 handshake to its end. */
  accept(socket: Duplex & { bytesRead?: number }, arrival: { address: string; authenticated: () => void }): void {
    const { clock, pings } = this.#deps;
    const session = serveSession(socket, { elastic: false });
    const timer = clock.timer(HELLO_TIMEOUT_MS, () => {
      this.#refused.add('timeout');
      session.destroy();
    });
    session.once('close', () => {
      timer.cancel();
      this.#visits.delete(session);
    });
    watchLiveness(session, socket, pings);
    let greeted = false;
    routeStreams(session, {
      control: (stream) => {
        if (greeted || !acceptTunnel(stream)) return stream.close();
        greeted = true;
        const channel = listenToAgent(stream, {
          hello: (hello) => {
            timer.cancel();
            return this.#greet(hello, session, channel, arrival.authenticated);
          },
          // A visiting agent has nothing more to say.
          message: () => {},
          malformed: () => this.#refused.add('malformed'),
          closed: () => endSession(session, channel, clock, 0),
        });
      },
      tunnel: (stream, authority, headers) =>
        void this.#tunnels.serve(stream, (signal) => this.#open(session, { authority, headers, arrival }, signal)),
    });
  }

  /** Ends the visits of a client whose credential has come to its end. */
  closeClient(clientId: number): void {
    for (const [session, visit] of this.#visits) {
      if (visit.clientId === clientId) endSession(session, visit.channel, this.#deps.clock, 0);
    }
  }

  /** Tells every visiting agent to go to another relay; running tunnels may finish. */
  drain(deadlineMs: number): void {
    for (const { channel } of this.#visits.values()) channel.send({ type: 'drain', deadline_ms: deadlineMs });
  }

  /** Ends everything. */
  stop(): void {
    for (const session of this.#visits.keys()) session.destroy();
  }

  snapshot(): VisitServerSnapshot {
    const { active, opened, refused } = this.#tunnels.snapshot();
    return {
      sessions: this.#visits.size,
      tunnelsActive: active,
      tunnelsOpened: opened,
      refused: this.#refused.snapshot(),
      tunnelsRefused: refused,
    };
  }

  /** Never rejects. */
  async #greet(
    hello: Hello,
    session: ServerHttp2Session,
    channel: RelayChannel,
    authenticated: () => void,
  ): Promise<void> {
    const { nodeId, group } = this.#options;
    try {
      const { clientId, claims } = await checkHello(hello, this.#deps.verifier, group);
      authenticated();
      const { registry } = this.#deps;
      if (registry.draining) throw new HelloRefused('draining', 'This relay is shutting down');
      refuse(registry.credentialObjection(clientId, claims.generation));
      if (session.destroyed) return;
      this.#visits.set(session, { clientId, channel });
      channel.send({ type: 'welcome', node_id: nodeId, heartbeat_ms: AGENT_PING_MS, protocol: PROTOCOL_VERSION });
    } catch (error) {
      this.#refused.add(refuseAgent(error, session, channel, this.#deps.clock));
    }
  }

  /** @throws {TunnelRefused} */
  async #open(session: ServerHttp2Session, asked: AskedTunnel, signal: AbortSignal): Promise<Tunnel> {
    const visit = this.#visits.get(session);
    if (visit === undefined) throw new TunnelRefused('bad_proof', 'A tunnel needs a ticket first');
    const { authority, headers, arrival } = asked;
    return openPrivateTunnel(
      this.#deps.router,
      {
        bindingId: authority,
        sourceClientId: visit.clientId,
        tunnelId: single(headers[HEADER.tunnel]),
        proof: single(headers[HEADER.proof]),
        target: single(headers[HEADER.target]),
        visitor: arrival.address,
      },
      signal,
    );
  }
}

interface AskedTunnel {
  authority: string;
  headers: IncomingHttpHeaders;
  arrival: { address: string };
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
