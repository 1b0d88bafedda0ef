import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { isCause, type Cause } from '@tunnox/protocol/causes';
import { HEADER } from '@tunnox/protocol/names';
import { quiet } from './quiet.ts';
import { StreamRefused } from './stream-refused.ts';

/** Headers of a tunnel by name, see `HEADER`; those that are undefined are left out. */
export type TunnelHeaders = Record<string, string | undefined>;

/**
 * Opens one tunnel: a plain CONNECT stream with the binding id as `:authority`. Resolves with the stream once the
 * other side has answered 200; nothing has been read from it yet.
 *
 * @throws {StreamRefused} with the cause that the other side gave; `lost` when the session or the stream ended before
 *   an answer, `busy` when the session takes no more streams. When the signal aborts the stream is reset and the
 *   signal's reason thrown.
 */
export function openTunnelStream(
  session: ClientHttp2Session,
  bindingId: string,
  headers: TunnelHeaders,
  signal: AbortSignal,
): Promise<ClientHttp2Stream> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const stream = request(session, bindingId, headers);
    if (stream instanceof StreamRefused) {
      reject(stream);
      return;
    }
    quiet(stream);
    const onResponse = (answer: IncomingHttpHeaders) => {
      done();
      if (Number(answer[':status']) === 200) {
        resolve(stream);
        return;
      }
      reject(refusalOf(answer));
      // An end and not a reset: agents on Node 20 end a session that has seen too many resets.
      stream.resume();
      stream.end();
    };
    const onClose = () => {
      done();
      reject(
        stream.rstCode === REFUSED_STREAM
          ? new StreamRefused('busy', 'The session takes no more tunnels')
          : new StreamRefused('lost', 'The session ended before the tunnel was answered'),
      );
    };
    const onAbort = () => {
      done();
      reject(signal.reason);
      stream.destroy(new Error('The tunnel is no longer wanted'));
    };
    const done = () => {
      stream.off('response', onResponse);
      stream.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
    };
    stream.on('response', onResponse);
    stream.on('close', onClose);
    signal.addEventListener('abort', onAbort);
  });
}

/** RST_STREAM code: the stream was refused before anything was done with it (RFC 9113, section 7). */
const REFUSED_STREAM = 7;

function request(
  session: ClientHttp2Session,
  bindingId: string,
  headers: TunnelHeaders,
): ClientHttp2Stream | StreamRefused {
  const all: OutgoingHttpHeaders = { ':method': 'CONNECT', ':authority': bindingId };
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) all[name] = value;
  }
  try {
    return session.request(all, { endStream: false });
  } catch (error) {
    // Thrown by a session that is closing, or whose 2³⁰ stream ids are used up.
    return new StreamRefused('lost', 'The session is closing', { cause: error });
  }
}

function refusalOf(answer: IncomingHttpHeaders): StreamRefused {
  const given = answer[HEADER.cause];
  const cause: Cause = isCause(given) ? given : 'lost';
  const message = answer[HEADER.message];
  return new StreamRefused(
    cause,
    typeof message === 'string' ? message : `The other side answered ${String(answer[':status'])}`,
  );
}
