import { connect, type Socket } from 'node:net';
import { COMMAND } from './wire.ts';
import { endWithParent, printJson, readParams } from './parent.ts';

/**
 * Holds idle connections. For each command `{total}` it opens more until there are `total`, each proved open by one
 * byte that came back from the target, and prints `{open, failed}`.
 */
export interface IdleParams {
  host: string;
  port: number;
}

/** Connections on their way at a time: below every listener's backlog. */
const CONCURRENCY = 64;
const ATTEMPT_TIMEOUT_MS = 10_000;

const params = readParams() as IdleParams;
const probe = Buffer.from([COMMAND.echo]);
const held: Socket[] = [];

endWithParent((command) => {
  void fill((command as { total: number }).total);
});

async function fill(total: number): Promise<void> {
  let missing = total - held.length;
  let failed = 0;
  const worker = async () => {
    while (missing > 0) {
      missing -= 1;
      const socket = await open();
      if (socket === null) failed += 1;
      else held.push(socket);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  printJson({ open: held.filter((socket) => !socket.destroyed).length, failed });
}

async function open(): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ host: params.host, port: params.port, noDelay: true });
    const timer = setTimeout(() => socket.destroy(), ATTEMPT_TIMEOUT_MS);
    socket.on('connect', () => socket.write(probe));
    socket.once('data', () => {
      clearTimeout(timer);
      resolve(socket);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(null));
  });
}
