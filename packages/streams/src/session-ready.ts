import type { ClientHttp2Session } from 'node:http2';

/**
 * Resolves when the peer's SETTINGS have arrived and allow extended CONNECT.
 *
 * @throws {Error} when the session ends first or the peer does not announce SETTINGS_ENABLE_CONNECT_PROTOCOL; the
 *   signal's reason when it aborts first
 */
export function sessionReady(session: ClientHttp2Session, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onSettings = () => {
      done();
      if (session.remoteSettings.enableConnectProtocol === true) resolve();
      else reject(new Error('Cannot use the session: the peer does not allow extended CONNECT'));
    };
    const onClose = () => {
      done();
      reject(new Error('Cannot use the session: it ended during the handshake'));
    };
    const onAbort = () => {
      done();
      reject(signal.reason);
    };
    const done = () => {
      session.off('remoteSettings', onSettings);
      session.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
    };
    if (signal.aborted) return onAbort();
    if (session.destroyed) return onClose();
    session.on('remoteSettings', onSettings);
    session.on('close', onClose);
    signal.addEventListener('abort', onAbort);
  });
}
