import type { Socket } from 'node:net';
import type { Peer } from './forwarding.ts';

/** Who is at the other end of a plain or TLS socket. IPv4 visitors of an IPv6 socket are given in dotted form. */
export function peerOf(socket: Socket, secure: boolean): Peer {
  const address = socket.remoteAddress ?? '0.0.0.0';
  return { address: address.replace(/^::ffff:(?=[0-9.]+$)/i, ''), port: socket.remotePort ?? 0, secure };
}
