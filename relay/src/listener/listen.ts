import type { Server } from 'node:net';

export interface ListenOptions {
  host: string;
  /** 0: any free port. */
  port: number;
}

/** A port that cannot be listened on; the message says what to do. */
export class ListenError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ListenError';
  }
}

/** Connections that wait to be accepted: a burst must not be refused by the kernel. */
const BACKLOG = 4096;

/**
 * Starts a server that may be listening already.
 *
 * @returns the port that is listened on
 * @throws {ListenError}
 */
export async function listen(server: Server, options: ListenOptions): Promise<number> {
  if (!server.listening) {
    await new Promise<void>((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => reject(toListenError(error, options));
      server.once('error', onError);
      server.listen({ ...options, backlog: BACKLOG }, () => {
        server.off('error', onError);
        resolve();
      });
    });
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : options.port;
}

/** What a failed listen means to the person who starts the relay. */
export function toListenError(error: NodeJS.ErrnoException, { host, port }: ListenOptions): ListenError {
  const what = `Cannot listen on ${host}:${port}`;
  return new ListenError(`${what}: ${ADVICE[error.code ?? ''] ?? error.message}`, { cause: error });
}

const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'another program uses this port. Stop it, or give the relay another port (README.md names the variables).',
  EACCES:
    'this user may not use ports below 1024. Give the relay CAP_NET_BIND_SERVICE, or set another port and forward to it.',
  EADDRNOTAVAIL: 'this machine does not have the address. Set TUNNOX_BIND (or TUNNOX_METRICS_BIND) to one that it has.',
  EMFILE: 'too many files are open. Raise the limit (ulimit -n, LimitNOFILE=): a relay needs one for each connection.',
  ENFILE: 'too many files are open on this machine. Raise fs.file-max.',
};
