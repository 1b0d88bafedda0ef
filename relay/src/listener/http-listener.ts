import { createServer, type Server } from 'node:net';
import type { HttpProxy } from '../proxy/http-proxy.ts';
import { peerOf } from '../proxy/peer-of.ts';
import { listen, type ListenOptions } from './listen.ts';

/** Accepts visitors' plain HTTP connections. */
export class HttpListener {
  readonly #server: Server;
  readonly #options: ListenOptions;

  constructor(proxy: HttpProxy, options: ListenOptions) {
    this.#options = options;
    // A visitor that ends its side after the request still gets its answer.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => proxy.handle(socket, peerOf(socket, false)));
  }

  /** Resolves to the port that is listened on. @throws {ListenError} */
  start(): Promise<number> {
    return listen(this.#server, this.#options);
  }

  /** Accepts no more connections; those that are open are the proxy's. */
  stop(): void {
    if (this.#server.listening) this.#server.close();
  }
}
