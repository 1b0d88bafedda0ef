import {
  connect,
  type ClientHttp2Session,
  type ClientSessionOptions,
  type SecureClientSessionOptions,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { type CarrierOptions, carrierOf } from './elastic-socket.ts';
import { quiet } from './quiet.ts';
import { SESSION_OPTIONS, SESSION_WINDOW_BYTES, sessionSettings } from './session-settings.ts';

/**
 * Makes a connected `socket` an HTTP/2 session on which this side opens the streams: the relay's end of a serving
 * (reversed) connection, a visiting agent, the calling side of a bridge.
 *
 * Wait for `sessionReady()` before the first extended CONNECT; plain CONNECT streams may be opened at once.
 *
 * @param socket As for `serveSession()`.
 */
export function connectSession(socket: Duplex, carrier: CarrierOptions = {}): ClientHttp2Session {
  const options: ClientSessionOptions | SecureClientSessionOptions = {
    ...SESSION_OPTIONS,
    settings: sessionSettings(false),
    createConnection: () => carrierOf(socket, carrier),
  };
  // The authority is only a name here: every request brings its own.
  const session = connect('http://tunnox', options);
  quiet(session);
  const widen = () => session.setLocalWindowSize(SESSION_WINDOW_BYTES);
  if (session.connecting) session.once('connect', widen);
  else widen();
  return session;
}
