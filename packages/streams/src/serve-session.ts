import { performServerHandshake, type ServerHttp2Session, type ServerOptions } from 'node:http2';
import type { Duplex } from 'node:stream';
import { type CarrierOptions, carrierOf } from './elastic-socket.ts';
import { quiet } from './quiet.ts';
import { SESSION_OPTIONS, SESSION_WINDOW_BYTES, sessionSettings } from './session-settings.ts';

/**
 * Makes `socket` an HTTP/2 session whose streams are opened by the other side: the agent's end of a serving (reversed)
 * connection, the relay's end of a visiting or bridge connection. Listen to `stream` in the same turn, best with
 * `routeStreams()`.
 *
 * @param socket A connected `net.Socket`, `tls.TLSSocket` or any Duplex. Bytes that were read too early may be put
 *   back with `unshift()`. It must not be half-open (`allowHalfOpen: false`).
 */
export function serveSession(socket: Duplex, carrier: CarrierOptions = {}): ServerHttp2Session {
  const options: ServerOptions = { ...SESSION_OPTIONS, settings: sessionSettings(true) };
  const session = performServerHandshake(carrierOf(socket, carrier), options);
  quiet(session);
  session.setLocalWindowSize(SESSION_WINDOW_BYTES);
  return session;
}
