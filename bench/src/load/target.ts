import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { ACK_BYTES, COMMAND, SMALL_BODY_BYTES, LARGE_BODY_BYTES } from './wire.ts';
import { endWithParent, printJson } from './parent.ts';

/**
 * The service behind every tunnel of a run. Two ports, written for speed so that the tunnels and not the target are
 * the limit: a byte port that obeys one command byte, and an HTTP port that scans for ends of heads and answers from
 * ready-made buffers. Prints `{bytes, http}` (ports) when it listens.
 */
const FLOOD = Buffer.alloc(256 * 1024, 0x61);
const SMALL = answer(SMALL_BODY_BYTES);
const LARGE = answer(LARGE_BODY_BYTES);
const HEAD_END = Buffer.from('\r\n\r\n');
const PATH_OFFSET = 'GET /'.length;
const LARGE_PATH = 'l'.charCodeAt(0);

const bytes = await listen(createServer({ noDelay: true }, serveBytes));
const http = await listen(createServer({ noDelay: true }, serveHttp));
printJson({ bytes, http });
endWithParent();

function serveBytes(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  socket.once('data', (first) => {
    switch (first[0]) {
      case COMMAND.download:
        flood(socket);
        return;
      case COMMAND.upload:
        acknowledge(socket, first.length - 1);
        return;
      case COMMAND.echo:
        socket.write(first);
        socket.on('data', (chunk) => socket.write(chunk));
        return;
      default:
        socket.destroy();
    }
  });
}

function flood(socket: Socket): void {
  const fill = () => {
    while (socket.write(FLOOD));
  };
  socket.on('drain', fill);
  fill();
}

/** One byte back for each ACK_BYTES that arrived. */
function acknowledge(socket: Socket, alreadyRead: number): void {
  let unacknowledged = alreadyRead;
  socket.on('data', (chunk) => {
    unacknowledged += chunk.length;
    const acks = Math.floor(unacknowledged / ACK_BYTES);
    if (acks === 0) return;
    unacknowledged -= acks * ACK_BYTES;
    socket.write(Buffer.alloc(acks));
  });
}

function serveHttp(socket: Socket): void {
  let rest: Buffer | null = null;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    const input = rest === null ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (;;) {
      const end = input.indexOf(HEAD_END, start);
      if (end === -1) break;
      socket.write(input[start + PATH_OFFSET] === LARGE_PATH ? LARGE : SMALL);
      start = end + HEAD_END.length;
    }
    rest = start === input.length ? null : input.subarray(start);
  });
}

function answer(bodyBytes: number): Buffer {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${bodyBytes}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.alloc(bodyBytes, 0x61)]);
}

async function listen(server: Server): Promise<number> {
  server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
