import { createServer, type Server } from 'node:net';
import type { HttpProxy } from '../proxy/http-proxy.ts';
import { peerOf } from '../proxy/peer-of.ts';

export interface HttpListenerOptions {
  host: string;
  /** 0: any free port. */
  port: number;
}

/** Accepts visitors' plain HTTP connections. */
export class HttpListener {
  readonly #server: Server;
  readonly #options: HttpListenerOptions;

  constructor(proxy: HttpProxy, options: HttpListenerOptions) {
    this.#options = options;
    // A visitor that ends its side after the request still gets its answer.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => proxy.handle(socket, peerOf(socket, false)));
  }

  /** Resolves to the port that is listened on. */
  async start(): Promise<number> {
    if (!this.#server.listening) {
      const { host, port } = this.#options;
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen({ host, port, backlog: BACKLOG }, () => {
          this.#server.off('error', reject);
          resolve();
        });
      });
    }
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  /** Accepts no more connections; those that are open are the proxy's. */
  stop(): void {
    if (this.#server.listening) this.#server.close();
  }
}

/** Connections that wait to be accepted: a burst of visitors must not be refused by the kernel. */
const BACKLOG = 4096;
