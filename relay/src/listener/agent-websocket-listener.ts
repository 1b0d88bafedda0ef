import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WS_PATH_SERVE, WS_PATH_VISIT } from '@tunnox/protocol/names';
import { WEBSOCKET_MESSAGE_BYTES_MAX } from '@tunnox/streams/connect-websocket';
import { WebSocketDuplex } from '@tunnox/streams/websocket-duplex';
import { WebSocketServer } from 'ws';
import type { AgentAcceptor } from './agent-acceptor.ts';
import type { AgentListenerDeps, AgentListenerOptions } from './agent-tcp-listener.ts';
import { TLS_HANDSHAKE } from './classify-agent.ts';
import { type Stranger, StrangerPort } from './stranger-port.ts';

/** Accepts agents over WebSocket, with and without TLS: the way out of networks that let nothing else through. */
export class AgentWebSocketListener {
  readonly #port: StrangerPort<'http'>;
  readonly #http: Server;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: WEBSOCKET_MESSAGE_BYTES_MAX,
    skipUTF8Validation: true,
  });
  readonly #acceptors: ReadonlyMap<string, AgentAcceptor>;
  readonly #strangers = new WeakMap<Duplex, Stranger>();

  constructor({ serving, visiting, gate }: AgentListenerDeps, options: AgentListenerOptions) {
    this.#acceptors = new Map([
      [WS_PATH_SERVE, serving],
      [WS_PATH_VISIT, visiting],
    ]);
    // The gate's time-out is the only one needed: whatever is not an agent soon is dropped.
    this.#http = createServer({ maxHeaderSize: HEAD_BYTES_MAX, keepAlive: false }, (request, response) => {
      const known = this.#acceptors.has(pathOf(request));
      response.writeHead(known ? 426 : 404, { connection: 'close', ...(known ? { upgrade: 'websocket' } : {}) });
      response.end();
    });
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    const onHttp = (stranger: Stranger): void => {
      this.#strangers.set(stranger.socket, stranger);
      this.#http.emit('connection', stranger.socket);
    };
    this.#port = new StrangerPort(gate, {
      host: options.host,
      port: options.port,
      tls: { secureContext: options.secureContext, alpn: ['http/1.1'], requestCert: false },
      plainFromAnywhere: options.insecureAgents,
      classify: (bytes) => ({ verdict: bytes[0] === TLS_HANDSHAKE ? 'tls' : 'http', used: 0 }),
      onSecure: onHttp,
      onPlain: onHttp,
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

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const acceptor = this.#acceptors.get(pathOf(request));
    const stranger = this.#strangers.get(socket);
    if (acceptor === undefined || stranger === undefined) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const { address, waiting } = stranger;
      acceptor.accept(new WebSocketDuplex(webSocket), { address, authenticated: () => waiting.release() });
    });
  }
}

const HEAD_BYTES_MAX = 8 * 1024;

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}
