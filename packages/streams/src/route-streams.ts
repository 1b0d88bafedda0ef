import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { CONTROL_PROTOCOL } from '@tunnox/protocol/names';
import { quiet } from './quiet.ts';

export interface StreamHandlers {
  /** The control stream, not yet answered. Absent: such streams are refused. */
  control?: (stream: ServerHttp2Stream) => void;
  /** A tunnel, not yet answered: `acceptTunnel()`, `refuseTunnel()`. `authority` is the binding id. */
  tunnel: (stream: ServerHttp2Stream, authority: string, headers: IncomingHttpHeaders) => void;
}

/**
 * Hands the streams of a served session to whom they are for. Anything but CONNECT is answered with 405, an unknown
 * `:protocol` with 501 (RFC 9220, section 3).
 */
export function routeStreams(session: ServerHttp2Session, handlers: StreamHandlers): void {
  session.on('stream', (stream, headers) => {
    quiet(stream);
    const protocol = headers[':protocol'];
    const authority = headers[':authority'];
    if (headers[':method'] !== 'CONNECT') return answer(stream, 405);
    if (protocol === undefined) {
      if (typeof authority !== 'string') return answer(stream, 400);
      return handlers.tunnel(stream, authority, headers);
    }
    if (protocol !== CONTROL_PROTOCOL || handlers.control === undefined) return answer(stream, 501);
    handlers.control(stream);
  });
}

function answer(stream: ServerHttp2Stream, status: number): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ':status': status }, { endStream: true });
  stream.resume();
}
