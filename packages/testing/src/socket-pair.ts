import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Two ends of one TCP connection on loopback. */
export interface SocketPair {
  client: Socket;
  server: Socket;
}

/**
 * Connects two sockets with each other. Whoever gets them closes them.
 *
 * @param allowHalfOpen As the sockets of visitors and targets are; false: as those under an HTTP/2 session.
 */
export async function socketPair(allowHalfOpen: boolean): Promise<SocketPair> {
  const listener = createServer({ allowHalfOpen, noDelay: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (typeof address !== 'object' || address === null) throw new Error('Cannot make a socket pair: no address');
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const client = connect({ host: '127.0.0.1', port: address.port, allowHalfOpen, noDelay: true });
  const [server] = await accepted;
  listener.close();
  if (client.connecting) await once(client, 'connect');
  return { client, server };
}
