import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';

/** A service over TCP that answers what it is told, with its own name before it, once the other side has ended. */
export interface Answering {
  port: number;
  stop: () => void;
}

export async function startAnswering(name: string): Promise<Answering> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    // One that breaks off has nothing to be answered.
    text(socket).then(
      (said) => socket.end(`${name}: ${said}`),
      () => {},
    );
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, stop: () => server.close() };
}

/** Says `words` to a port of this machine and gives the answer; '' or an error when nobody is behind it. */
export async function ask(port: number, words: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(words);
  return await text(socket);
}
