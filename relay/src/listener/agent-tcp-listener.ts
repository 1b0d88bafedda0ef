import type { SecureContext } from 'node:tls';
import { ALPN_SERVE, ALPN_VISIT } from '@tunnox/protocol/names';
import type { AgentAcceptor } from './agent-acceptor.ts';
import { classifyAgent } from './classify-agent.ts';
import type { ConnectionGate } from './connection-gate.ts';
import { StrangerPort } from './stranger-port.ts';

export interface AgentListenerDeps {
  /** Takes connections of serving agents. */
  serving: AgentAcceptor;
  /** Takes connections of visiting agents. */
  visiting: AgentAcceptor;
  gate: ConnectionGate;
}

export interface AgentListenerOptions {
  host: string;
  /** 0: any free port. */
  port: number;
  /** With the node's key and certificate, at least TLS 1.3. */
  secureContext: SecureContext;
  /** Lets agents of other machines connect without TLS. */
  insecureAgents: boolean;
}

/** Accepts agents over TCP: TLS with the kind of connection by ALPN, or plain with the kind by its first bytes. */
export class AgentTcpListener {
  readonly #port: StrangerPort<'serve' | 'visit'>;

  constructor({ serving, visiting, gate }: AgentListenerDeps, options: AgentListenerOptions) {
    const acceptors = { serve: serving, visit: visiting };
    this.#port = new StrangerPort(gate, {
      host: options.host,
      port: options.port,
      tls: { secureContext: options.secureContext, alpn: [ALPN_SERVE, ALPN_VISIT], requestCert: false },
      plainFromAnywhere: options.insecureAgents,
      classify: classifyAgent,
      onSecure: ({ socket, address, waiting }) => {
        const acceptor = socket.alpnProtocol === ALPN_SERVE ? serving : visiting;
        acceptor.accept(socket, { address, authenticated: () => waiting.release() });
      },
      onPlain: ({ socket, address, waiting }, kind) => {
        acceptors[kind].accept(socket, { address, authenticated: () => waiting.release() });
      },
    });
  }

  /** Resolves to the port that is listened on. */
  start(): Promise<number> {
    return this.#port.start();
  }

  /** Accepts no more connections; those that are open are the acceptors'. */
  stop(): void {
    this.#port.stop();
  }
}
