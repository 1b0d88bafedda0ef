import { createServer, type Server } from 'node:net';
import type { PortRange } from '@tunnox/config/values';
import { peerOf } from '../proxy/peer-of.ts';
import type { TcpProxy } from '../proxy/tcp-proxy.ts';
import type { ConnectionGate } from './connection-gate.ts';
import { listen } from './listen.ts';

export interface TcpListenerDeps {
  proxy: Pick<TcpProxy, 'handle'>;
  /** Bounds visitors whose tunnel is not open yet. */
  gate: ConnectionGate;
}

export interface TcpListenerOptions {
  host: string;
  /** Relay group, part of the endpoint. */
  group: string;
  ports: PortRange;
}

/** From the connection to the open tunnel; agents give up their dials before. */
const OPEN_MS = 30_000;
/** Finds visitors that vanished without a word. */
const KEEP_ALIVE_MS = 60_000;

/** Listens at every public TCP port of the relay. */
export class TcpListener {
  readonly #deps: TcpListenerDeps;
  readonly #options: TcpListenerOptions;
  readonly #servers = new Map<number, Server>();

  constructor(deps: TcpListenerDeps, options: TcpListenerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** @throws {ListenError} */
  async start(): Promise<void> {
    const { from, to } = this.#options.ports;
    for (let port = from; port <= to; port++) {
      if (!this.#servers.has(port)) this.#servers.set(port, await this.#listen(port));
    }
  }

  /** Accepts no more connections; those that are open are the proxy's. */
  stop(): void {
    for (const server of this.#servers.values()) server.close();
    this.#servers.clear();
  }

  async #listen(port: number): Promise<Server> {
    const { host, group } = this.#options;
    const { proxy, gate } = this.#deps;
    const endpoint = `tcp:${group}:${port}`;
    const keepAlive = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
    const server = createServer({ allowHalfOpen: true, noDelay: true, ...keepAlive }, (socket) => {
      const waiting = gate.enter(socket, peerOf(socket, false).address, OPEN_MS);
      proxy.handle(socket, endpoint, () => waiting.release());
    });
    await listen(server, { host, port });
    return server;
  }
}
