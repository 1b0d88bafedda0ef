import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { join } from '@tunnox/streams/join';
import { StreamRefused } from '@tunnox/streams/stream-refused';
import type { SourceBinding } from '../config/binding-table.ts';
import type { Traffic } from '../traffic.ts';

/** From the local connection to the answer of the target, which has 10 s to be dialled. */
const OPEN_TIMEOUT_MS = 20_000;

export interface SourceListenerDeps {
  /** Opens a tunnel. @throws {StreamRefused} */
  open: (binding: SourceBinding, signal: AbortSignal) => Promise<Duplex>;
  traffic: Traffic;
  /** A local connection could not be served. */
  onFailed: (bindingId: string, error: StreamRefused) => void;
}

/**
 * A local port of a private mapping. A connection is not read before its tunnel stands, and reset when it cannot be
 * opened: programs that connect see a failure and not an empty answer.
 */
export class SourceListener {
  /** May be replaced by a newer version of itself. */
  binding: SourceBinding;
  readonly #deps: SourceListenerDeps;
  #server: Server | null = null;

  constructor(deps: SourceListenerDeps, binding: SourceBinding) {
    this.#deps = deps;
    this.binding = binding;
  }

  /** Opens the port. @throws {NodeJS.ErrnoException} such as `EADDRINUSE` */
  listen(host: string): Promise<void> {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => {
      void this.#serve(socket);
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port: this.binding.local_port }, () => {
        server.off('error', reject);
        // Such as EMFILE: the connection is lost, the port is not.
        server.on('error', () => {});
        this.#server = server;
        resolve();
      });
    });
  }

  /** Closes the port at once; open tunnels go on until their relay ends them. */
  close(): void {
    this.#server?.close();
    this.#server = null;
  }

  async #serve(socket: Socket): Promise<void> {
    const { open, traffic, onFailed } = this.#deps;
    const { binding } = this;
    const gone = new AbortController();
    const giveUp = (): void => gone.abort(new StreamRefused('timeout', 'The tunnel took too long to open'));
    const timer = setTimeout(giveUp, OPEN_TIMEOUT_MS);
    socket.on('error', () => {});
    socket.once('close', giveUp);
    try {
      const stream = await open(binding, gone.signal);
      socket.off('close', giveUp);
      traffic.begin();
      join(socket, stream, traffic, () => traffic.end());
      socket.resume();
    } catch (error) {
      const left = socket.destroyed;
      socket.resetAndDestroy();
      if (!left && error instanceof StreamRefused) onFailed(binding.binding_id, error);
    } finally {
      clearTimeout(timer);
    }
  }
}
