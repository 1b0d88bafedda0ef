import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import { TCP_KEEP_ALIVE_MS } from '@tunnox/streams/dial';
import { peerOf } from '../proxy/peer-of.ts';
import type { ConnectionGate, Waiting } from './connection-gate.ts';
import { listen } from './listen.ts';
import { readFirstBytes } from './read-first-bytes.ts';

/** From the connection to the bytes that say what it is. */
const FIRST_BYTES_MS = 5_000;
const TLS_HANDSHAKE_MS = 10_000;
/** From there to a good ticket. */
const AUTHENTICATE_MS = 15_000;

/** A connection whose transport is known and whose owner is not. */
export interface Stranger {
  socket: Duplex & { bytesRead?: number };
  /** `ip:port` */
  address: string;
  /** Stands in the gate until it is released. */
  waiting: Waiting;
}

export interface StrangerPortOptions<Plain> {
  host: string;
  /** 0: any free port. */
  port: number;
  tls: {
    secureContext: SecureContext;
    /** What is offered; a client that names none of them is refused. */
    alpn: string[];
    /** Ask the client for its certificate. It is not verified here. */
    requestCert: boolean;
  };
  /** Takes connections without TLS from anywhere, not only from this machine. */
  plainFromAnywhere: boolean;
  /** Tells TLS, kinds of plain connections and garbage apart. */
  classify: (bytes: Buffer) => { verdict: Plain | 'tls' | 'garbage'; used: number } | null;
  onSecure: (stranger: Stranger & { socket: TLSSocket }) => void;
  onPlain: (stranger: Stranger, kind: Plain) => void;
}

/** A TCP port on which strangers may knock, with and without TLS; those that say nothing or rubbish are dropped. */
export class StrangerPort<Plain extends string> {
  readonly #gate: ConnectionGate;
  readonly #options: StrangerPortOptions<Plain>;
  readonly #server: Server;

  constructor(gate: ConnectionGate, options: StrangerPortOptions<Plain>) {
    this.#gate = gate;
    this.#options = options;
    this.#server = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS },
      (socket) => this.#accept(socket),
    );
  }

  /** Resolves to the port that is listened on. @throws {ListenError} */
  start(): Promise<number> {
    const { host, port } = this.#options;
    return listen(this.#server, { host, port });
  }

  /** Accepts no more connections. */
  stop(): void {
    if (this.#server.listening) this.#server.close();
  }

  #accept(socket: Socket): void {
    // What an error means is told by the close that follows.
    socket.on('error', () => {});
    const peer = peerOf(socket, false);
    const waiting = this.#gate.enter(socket, peer.address, FIRST_BYTES_MS);
    const address = peer.address.includes(':') ? `[${peer.address}]:${peer.port}` : `${peer.address}:${peer.port}`;
    readFirstBytes(socket, this.#options.classify, (verdict) => {
      if (verdict === 'tls') {
        this.#secure(socket, address, waiting);
      } else if (verdict === 'garbage' || !(this.#options.plainFromAnywhere || isLoopback(peer.address))) {
        socket.destroy();
      } else {
        waiting.within(AUTHENTICATE_MS);
        this.#options.onPlain({ socket, address, waiting }, verdict);
      }
    });
  }

  #secure(raw: Socket, address: string, waiting: Waiting): void {
    const { secureContext, alpn, requestCert } = this.#options.tls;
    waiting.within(TLS_HANDSHAKE_MS);
    const socket = new TLSSocket(raw, {
      isServer: true,
      secureContext,
      ALPNProtocols: alpn,
      requestCert,
      rejectUnauthorized: false,
    });
    socket.on('error', () => {});
    socket.once('secure', () => {
      // Only tls.Server resets this, and an HTTP/2 client session on the socket waits for it.
      Object.assign(socket, { secureConnecting: false });
      // A client that offers no protocol at all passes the handshake.
      if (typeof socket.alpnProtocol !== 'string' || !alpn.includes(socket.alpnProtocol)) {
        socket.destroy();
        return;
      }
      waiting.within(AUTHENTICATE_MS);
      this.#options.onSecure({ socket, address, waiting });
    });
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
