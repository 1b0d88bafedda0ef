import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { NodeIdentity } from '@tunnox/certificates/node-identity';
import type { NodeAddress } from '@tunnox/domain/presence';
import type { AgentMessage, Hello, RelayMessage } from '@tunnox/protocol/control-message';
import { ALPN_SERVE, ALPN_VISIT, HEADER, SERVE_PREAMBLE } from '@tunnox/protocol/names';
import { parseAgentMessage } from '@tunnox/protocol/parse-control';
import { acceptTunnel } from '@tunnox/streams/answer-tunnel';
import { connectSession } from '@tunnox/streams/connect-session';
import { ControlChannel } from '@tunnox/streams/control-channel';
import { openControlStream } from '@tunnox/streams/open-control-stream';
import { openTunnelStream } from '@tunnox/streams/open-tunnel-stream';
import { routeStreams } from '@tunnox/streams/route-streams';
import { serveSession } from '@tunnox/streams/serve-session';
import { WebSocketDuplex } from '@tunnox/streams/websocket-duplex';
import { WebSocketServer } from 'ws';
import { EventQueue } from './event-queue.ts';

/** One agent connection, as the relay sees it. */
export interface FakeSession {
  kind: 'serve' | 'visit';
  hello: Hello;
  /** What the agent said after hello. */
  messages: EventQueue<AgentMessage>;
  /** Resolves when the connection is gone. */
  closed: Promise<void>;
  send(message: RelayMessage): void;
  /** Opens a tunnel towards the agent. @throws {StreamRefused} */
  open(bindingId: string, headers?: Record<string, string>): Promise<ClientHttp2Stream>;
  destroy(): void;
}

export interface FakeTunnel {
  stream: ServerHttp2Stream;
  bindingId: string;
  headers: IncomingHttpHeaders;
}

/** A relay as far as an agent sees it, on loopback; without TLS unless it has an identity. */
export class FakeRelay {
  readonly sessions = new EventQueue<FakeSession>();
  /** Tunnels that visiting agents asked for, not yet answered. */
  readonly visits = new EventQueue<FakeTunnel>();
  /** Connections that were accepted, whatever became of them. */
  readonly connections = new EventQueue<Socket>();
  /** Answer to a hello; null: silence. */
  greet: (hello: Hello, kind: 'serve' | 'visit') => RelayMessage | null;
  /** Accepts connections and says nothing. */
  silent = false;
  readonly nodeId: string;
  readonly #identity: NodeIdentity | null;
  readonly #tcp: Server;
  readonly #ws = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  readonly #wsServer: Server;

  constructor(nodeId: string, identity: NodeIdentity | null = null) {
    this.nodeId = nodeId;
    this.#identity = identity;
    this.greet = () => ({ type: 'welcome', node_id: nodeId, heartbeat_ms: 15_000, protocol: 1 });
    this.#tcp = this.#server((socket) => this.#classify(socket), [ALPN_SERVE, ALPN_VISIT]);
    this.#wsServer = this.#server((socket) => void this.#upgrade(socket), ['http/1.1']);
  }

  async listen(): Promise<NodeAddress> {
    for (const server of [this.#tcp, this.#wsServer]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    return {
      node_id: this.nodeId,
      incarnation: '01J00000000000000000000000',
      group: 'default',
      region: 'default',
      bridge: '127.0.0.1:1',
      agent_tcp: addressOf(this.#tcp),
      agent_ws: addressOf(this.#wsServer),
      fingerprint: this.#identity?.fingerprint ?? '0'.repeat(64),
      status: 'online',
    };
  }

  /** As `kill -9`: connections and ports are gone at once. */
  kill(): void {
    this.#tcp.close();
    this.#wsServer.close();
    for (const socket of this.connections.all) socket.destroy();
  }

  #server(onSocket: (socket: Socket) => void, ALPNProtocols: string[]): Server {
    const accept = (socket: Socket): void => {
      socket.on('error', () => {});
      this.connections.push(socket);
      if (!this.silent) onSocket(socket);
    };
    if (this.#identity === null) return createServer({ noDelay: true }, accept);
    const { privateKeyPem: key, certificatePem: cert } = this.#identity;
    const server = createTlsServer({ key, cert, ALPNProtocols }, accept);
    server.on('tlsClientError', () => {});
    return server;
  }

  #classify(socket: Socket): void {
    if (this.#identity !== null) {
      const kind = (socket as TLSSocket).alpnProtocol === ALPN_SERVE ? 'serve' : 'visit';
      return void this.#begin(kind, socket);
    }
    socket.once('data', (first: Buffer) => {
      socket.pause();
      const serves = first.subarray(0, SERVE_PREAMBLE.length).toString() === SERVE_PREAMBLE;
      const rest = serves ? first.subarray(SERVE_PREAMBLE.length) : first;
      if (rest.length > 0) socket.unshift(rest);
      void this.#begin(serves ? 'serve' : 'visit', socket);
    });
  }

  /** The upgrade request is small and comes in one piece. */
  async #upgrade(socket: Socket): Promise<void> {
    const { createServer: createHttpServer } = await import('node:http');
    const http = createHttpServer();
    http.on('upgrade', (request, upgraded, head) => {
      this.#ws.handleUpgrade(request, upgraded, head, (webSocket) => {
        void this.#begin(request.url === '/serve' ? 'serve' : 'visit', new WebSocketDuplex(webSocket));
      });
    });
    http.emit('connection', socket);
  }

  async #begin(kind: 'serve' | 'visit', socket: Duplex): Promise<void> {
    if (kind === 'serve') {
      const session = connectSession(socket);
      const control = await openControlStream(session, AbortSignal.timeout(5000)).catch(() => null);
      if (control !== null) this.#talk(kind, session, control, session);
      return;
    }
    const session = serveSession(socket);
    routeStreams(session, {
      control: (stream) => {
        if (acceptTunnel(stream)) this.#talk(kind, session, stream, null);
      },
      tunnel: (stream, bindingId, headers) => this.visits.push({ stream, bindingId, headers }),
    });
  }

  #talk(
    kind: 'serve' | 'visit',
    session: { destroy(): void; once(event: 'close', callback: () => void): unknown },
    control: Duplex,
    client: ClientHttp2Session | null,
  ): void {
    const messages = new EventQueue<AgentMessage>();
    const closed = new Promise<void>((resolve) => session.once('close', resolve));
    const channel = new ControlChannel<RelayMessage, AgentMessage>(control, {
      parse: parseAgentMessage,
      onMessage: (message) => {
        if (message.type !== 'hello') return messages.push(message);
        const reply = this.greet(message, kind);
        this.sessions.push({
          kind,
          hello: message,
          messages,
          closed,
          send: (sent) => channel.send(sent),
          open: (bindingId, headers = {}) => {
            if (client === null) throw new Error('Cannot open a tunnel: the agent does not serve here');
            const all = { [HEADER.tunnel]: TUNNEL_ID, [HEADER.visitor]: '192.0.2.1:5555', ...headers };
            return openTunnelStream(client, bindingId, all, AbortSignal.timeout(5000));
          },
          destroy: () => session.destroy(),
        });
        if (reply !== null) channel.send(reply);
        if (reply?.type === 'refused') channel.close();
      },
      onClose: () => session.destroy(),
    });
  }
}

const TUNNEL_ID = '01J00000000000000000000001';

function addressOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
