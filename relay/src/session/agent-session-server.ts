import type { ClientHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { AgentMessage, Hello } from '@tunnox/protocol/control-message';
import { PROTOCOL_VERSION } from '@tunnox/protocol/version';
import { connectSession } from '@tunnox/streams/connect-session';
import { AGENT_PING_MS, watchLiveness } from '@tunnox/streams/liveness';
import { openControlStream } from '@tunnox/streams/open-control-stream';
import type { TimerWheel } from '@tunnox/streams/timer-wheel';
import type { Clock } from '../clock.ts';
import { AgentSession } from './agent-session.ts';
import { attachSession } from './attach-session.ts';
import { checkHello, HelloRefused } from './check-hello.ts';
import { endSession } from './end-session.ts';
import { listenToAgent, type RelayChannel } from './listen-to-agent.ts';
import type { AttachmentAuthority, TicketVerifier } from './ports.ts';
import { RefusalCounts, refuseAgent } from './refuse-agent.ts';
import type { SessionRegistry } from './session-registry.ts';

/** From the connection to the hello. */
export const HELLO_TIMEOUT_MS = 10_000;

export interface AgentSessionServerDeps {
  verifier: TicketVerifier;
  authority: AttachmentAuthority;
  registry: SessionRegistry;
  clock: Clock;
  /** Of `AGENT_PING_MS` a round. */
  pings: TimerWheel;
}

export interface AgentSessionServerOptions {
  /** From registration. */
  nodeId: string;
  /** Relay group for which tickets are good here. */
  group: string;
}

export interface AgentSessionsSnapshot {
  /** Welcomes since the start. */
  accepted: number;
  /** Attached agents whose connection ended, since the start. */
  lost: number;
  /** By code, since the start. */
  refused: Record<string, number>;
}

/** Turns accepted connections of serving agents into attached sessions. */
export class AgentSessionServer {
  readonly #deps: AgentSessionServerDeps;
  readonly #options: AgentSessionServerOptions;
  readonly #refused = new RefusalCounts();
  #accepted = 0;
  #lost = 0;

  constructor(deps: AgentSessionServerDeps, options: AgentSessionServerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Takes a connection over, from the HTTP/2 handshake to its end.
   *
   * @param socket A classified connection; bytes read too early have been put back.
   * @param arrival `authenticated` is called once when the ticket has proved good.
   */
  accept(socket: Duplex & { bytesRead?: number }, arrival: { authenticated: () => void }): void {
    const { clock, pings } = this.#deps;
    const session = connectSession(socket, { elastic: false });
    const aborter = new AbortController();
    const timer = clock.timer(HELLO_TIMEOUT_MS, () => {
      this.#refused.add('timeout');
      session.destroy();
    });
    session.once('close', () => {
      timer.cancel();
      aborter.abort(new Error('The agent has gone'));
    });
    watchLiveness(session, socket, pings);
    openControlStream(session, aborter.signal).then(
      (stream) => {
        let agent: AgentSession | null = null;
        const channel = listenToAgent(stream, {
          hello: async (hello) => {
            timer.cancel();
            agent = await this.#greet(hello, session, channel, arrival.authenticated);
          },
          message: (message) => {
            if (agent !== null) this.#hear(agent, message);
          },
          malformed: () => this.#refused.add('malformed'),
          // Without a control stream there is nobody to talk to, but tunnels of an agent that we sent away may finish.
          closed: () => {
            if (agent?.leaving !== true) endSession(session, channel, clock, 0);
          },
        });
      },
      () => session.destroy(),
    );
  }

  snapshot(): AgentSessionsSnapshot {
    return { accepted: this.#accepted, lost: this.#lost, refused: this.#refused.snapshot() };
  }

  /** Never rejects. */
  async #greet(
    hello: Hello,
    session: ClientHttp2Session,
    channel: RelayChannel,
    onAuthenticated: () => void,
  ): Promise<AgentSession | null> {
    const { registry, authority, verifier, clock } = this.#deps;
    try {
      const { claims, clientId } = await checkHello(hello, verifier, this.#options.group);
      onAuthenticated();
      // Its `close` is over: nothing would take it back.
      if (session.destroyed) throw new HelloRefused('unavailable', 'The connection has ended');
      if (registry.draining) throw new HelloRefused('draining', 'This relay is shutting down');
      const { instance_id, connect_seq } = hello;
      const client = { client_id: clientId, instance_id, connect_seq, generation: claims.generation };
      const agent = new AgentSession({ session, channel, client, claims, clock });
      session.once('close', () => {
        if (!registry.left(agent)) return;
        this.#lost += 1;
        authority.detach(client);
      });
      await attachSession({ authority, registry, clock }, agent);
      this.#welcome(agent);
      return agent;
    } catch (error) {
      this.#refused.add(refuseAgent(error, session, channel, clock));
      return null;
    }
  }

  #welcome(agent: AgentSession): void {
    this.#accepted += 1;
    const { nodeId } = this.#options;
    agent.send({ type: 'welcome', node_id: nodeId, heartbeat_ms: AGENT_PING_MS, protocol: PROTOCOL_VERSION });
    agent.tellPolicy(null);
  }

  #hear(agent: AgentSession, message: Exclude<AgentMessage, Hello>): void {
    const { registry, authority } = this.#deps;
    switch (message.type) {
      case 'config_applied':
        authority.configApplied(agent.client.client_id, message.version, message.problems);
        break;
      case 'bye':
        if (registry.left(agent)) authority.detach(agent.client);
        agent.end(null, 0);
        break;
      case 'health':
        // Nobody balances by health yet; an agent may say it all the same.
        break;
    }
  }
}
