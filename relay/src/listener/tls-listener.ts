import { createServer, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { HttpProxy } from '../proxy/http-proxy.ts';
import { peerOf } from '../proxy/peer-of.ts';
import type { CertificateChoice } from './certificate-choice.ts';
import type { ConnectionGate } from './connection-gate.ts';
import { listen, type ListenOptions } from './listen.ts';

export interface TlsListenerDeps {
  proxy: Pick<HttpProxy, 'handle'>;
  certificates: Pick<CertificateChoice, 'contextFor'>;
  gate: ConnectionGate;
}

const HANDSHAKE_MS = 10_000;

/** Accepts visitors' HTTPS connections with the certificate of the name that they ask for. */
export class TlsListener {
  readonly #deps: TlsListenerDeps;
  readonly #options: ListenOptions;
  readonly #server: Server;

  constructor(deps: TlsListenerDeps, options: ListenOptions) {
    this.#deps = deps;
    this.#options = options;
    // A visitor that ends its side after the request still gets its answer.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Resolves to the port that is listened on. @throws {ListenError} */
  start(): Promise<number> {
    return listen(this.#server, this.#options);
  }

  /** Accepts no more connections; those that are open are the proxy's. */
  stop(): void {
    if (this.#server.listening) this.#server.close();
  }

  #accept(raw: Socket): void {
    const { proxy, certificates, gate } = this.#deps;
    // What an error means is told by the close that follows.
    raw.on('error', () => {});
    const waiting = gate.enter(raw, peerOf(raw, true).address, HANDSHAKE_MS);
    const fallback = certificates.contextFor('');
    const socket = new TLSSocket(raw, {
      isServer: true,
      ...(fallback === undefined ? {} : { secureContext: fallback }),
      SNICallback: (name, done) => done(null, certificates.contextFor(name)),
      ALPNProtocols: ['http/1.1'],
    });
    socket.on('error', () => {});
    socket.once('secure', () => {
      waiting.release();
      proxy.handle(socket, peerOf(socket, true));
    });
  }
}
