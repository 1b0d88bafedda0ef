import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { patternOf } from './pattern.ts';

/** A web service to publish: every answer carries its name, so that a test sees who answered. */
export interface TargetService {
  name: string;
  port: number;
  /** Requests that arrived. */
  requests: number;
  /** Lets the next event of `/events` go; the first one is sent at once. */
  nextEvent: () => void;
  stop: () => Promise<void>;
}

/**
 * Paths: `/` its name; `/bytes/N` N bytes of the pattern; `POST /hash` length and SHA-256 of the body; `/events`
 * server-sent events; `/trailers` chunks and a trailer; `/late` answers after the request's end; WebSocket echo at
 * any path.
 */
export async function startTargetService(name: string): Promise<TargetService> {
  const streams = new Set<() => void>();
  const service: TargetService = {
    name,
    port: 0,
    requests: 0,
    nextEvent: () => {
      for (const send of streams) send();
    },
    stop: () => stop(server, sockets),
  };
  const server = createServer((request, response) => {
    service.requests += 1;
    response.setHeader('x-service', name);
    answer(request, response, streams, name);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  service.port = (server.address() as AddressInfo).port;
  return service;
}

function answer(request: IncomingMessage, response: ServerResponse, streams: Set<() => void>, name: string): void {
  const path = request.url ?? '/';
  if (path.startsWith('/bytes/')) {
    const length = Number(path.slice('/bytes/'.length));
    response.setHeader('content-length', length);
    patternOf(length).pipe(response);
    return;
  }
  switch (path) {
    case '/hash': {
      const hash = createHash('sha256');
      let length = 0;
      request.on('data', (chunk: Buffer) => {
        hash.update(chunk);
        length += chunk.length;
      });
      request.on('end', () => response.end(JSON.stringify({ length, sha256: hash.digest('hex') })));
      return;
    }
    case '/events': {
      response.setHeader('content-type', 'text/event-stream');
      let count = 0;
      const send = () => {
        count += 1;
        response.write(`data: ${count}\n\n`);
      };
      streams.add(send);
      response.on('close', () => streams.delete(send));
      send();
      return;
    }
    case '/trailers':
      response.writeHead(200, { trailer: 'x-checksum' });
      response.write('first,');
      response.write('second');
      response.addTrailers({ 'x-checksum': 'abc' });
      response.end();
      return;
    case '/late':
      request.resume();
      request.on('end', () => response.end(`${name}:late`));
      return;
    default:
      request.resume();
      response.end(name);
  }
}

async function stop(server: Server, sockets: WebSocketServer): Promise<void> {
  for (const socket of sockets.clients) socket.terminate();
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
