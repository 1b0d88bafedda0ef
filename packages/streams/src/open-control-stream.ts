import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { CONTROL_PROTOCOL } from '@tunnox/protocol/names';
import { quiet } from './quiet.ts';
import { sessionReady } from './session-ready.ts';

/**
 * Opens the control stream of a session (extended CONNECT, RFC 8441) and resolves when the other side has answered 200.
 *
 * @throws {Error} when the session ends or refuses; the signal's reason when it aborts first
 */
export async function openControlStream(session: ClientHttp2Session, signal: AbortSignal): Promise<ClientHttp2Stream> {
  if (session.remoteSettings?.enableConnectProtocol !== true) await sessionReady(session, signal);
  signal.throwIfAborted();
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': CONTROL_PROTOCOL,
      ':scheme': 'https',
      ':path': '/',
      ':authority': 'tunnox',
    },
    { endStream: false },
  );
  quiet(stream);
  return new Promise((resolve, reject) => {
    const onResponse = (answer: IncomingHttpHeaders) => {
      done();
      if (Number(answer[':status']) === 200) return resolve(stream);
      stream.destroy();
      reject(new Error(`Cannot open the control stream: the other side answered ${String(answer[':status'])}`));
    };
    const onClose = () => {
      done();
      reject(new Error('Cannot open the control stream: the session ended'));
    };
    const onAbort = () => {
      done();
      stream.destroy();
      reject(signal.reason);
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
