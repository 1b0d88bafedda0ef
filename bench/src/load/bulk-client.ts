import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ACK_BYTES, COMMAND } from './wire.ts';
import { endWithParent, printJson, readParams } from './parent.ts';

/**
 * Moves bytes for a set time over `streams` connections. Prints `{started}` when the clock starts and then
 * `{bytes, seconds}`: what arrived at the receiver's end while it ran (downloads are counted here, uploads by the
 * target's acknowledgements), or `{failure}`.
 */
export interface BulkParams {
  host: string;
  port: number;
  streams: number;
  direction: 'down' | 'up';
  /** Not counted: windows open, compilers warm up. */
  warmupMs: number;
  measureMs: number;
}

const READ_BUFFER_BYTES = 256 * 1024;
const CONNECT_TIMEOUT_MS = 10_000;

const params = readParams() as BulkParams;
let received = 0;
let failure: string | null = null;

endWithParent();
const sockets = await Promise.all(Array.from({ length: params.streams }, open));
for (const socket of sockets) begin(socket);
await delay(params.warmupMs);
printJson({ started: true });
const startBytes = received;
const startMs = performance.now();
await delay(params.measureMs);
const seconds = (performance.now() - startMs) / 1000;
const units = received - startBytes;
const bytes = params.direction === 'down' ? units : units * ACK_BYTES;
printJson(failure === null ? { bytes, seconds } : { failure });
for (const socket of sockets) socket.destroy();
process.exit(0);

async function open(): Promise<Socket> {
  const opened = Promise.withResolvers<Socket>();
  const socket = connect({
    host: params.host,
    port: params.port,
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafe(READ_BUFFER_BYTES),
      callback: (count) => {
        received += count;
        return true;
      },
    },
  });
  const timer = setTimeout(() => socket.destroy(new Error('connect timed out')), CONNECT_TIMEOUT_MS);
  socket.once('connect', () => {
    clearTimeout(timer);
    opened.resolve(socket);
  });
  socket.on('error', (error) => {
    failure ??= error.message;
    opened.reject(error);
  });
  socket.on('close', () => {
    failure ??= 'the connection was closed';
  });
  return opened.promise.catch((error: unknown) => {
    throw new Error(`Cannot connect to ${params.host}:${params.port}`, { cause: error });
  });
}

function begin(socket: Socket): void {
  if (params.direction === 'down') {
    socket.write(Buffer.from([COMMAND.download]));
    return;
  }
  const chunk = Buffer.alloc(READ_BUFFER_BYTES, 0x61);
  const fill = () => {
    while (socket.write(chunk));
  };
  socket.on('drain', fill);
  socket.write(Buffer.from([COMMAND.upload]));
  fill();
}
