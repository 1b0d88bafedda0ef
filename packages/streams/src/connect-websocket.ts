import type { Socket } from 'node:net';
import { WebSocket, type ClientOptions } from 'ws';
import { WebSocketDuplex } from './websocket-duplex.ts';

/** Longest message that either side takes, and keeps until it is whole. `WebSocketDuplex` sends shorter ones. */
export const WEBSOCKET_MESSAGE_BYTES_MAX = 128 * 1024;

export interface ConnectWebSocketOptions {
  /** `WS_PATH_SERVE` or `WS_PATH_VISIT`. */
  path: string;
  /** For the Host header, as `host:port`. */
  host: string;
  timeoutMs: number;
  signal?: AbortSignal;
}

/**
 * Upgrades a connected socket (from `dial()`, so that the node key is already checked) to a WebSocket.
 *
 * @throws {Error} when the other side does not upgrade in time; the signal's reason when it aborts first
 */
export function connectWebSocket(socket: Socket, options: ConnectWebSocketOptions): Promise<WebSocketDuplex> {
  return new Promise((resolve, reject) => {
    const { signal } = options;
    if (signal?.aborted) {
      socket.destroy();
      reject(signal.reason);
      return;
    }
    const encrypted = 'encrypted' in socket;
    const client: ClientOptions = {
      createConnection: () => socket,
      perMessageDeflate: false,
      maxPayload: WEBSOCKET_MESSAGE_BYTES_MAX,
      skipUTF8Validation: true,
      // Masking is there to keep scripts in browsers from writing chosen bytes to plain connections; inside TLS it
      // would only cost a pass over every byte. A zero key is a valid one (RFC 6455, section 5.3).
      ...(encrypted ? { generateMask: (mask: Buffer) => mask.fill(0) } : {}),
    };
    const webSocket = new WebSocket(`ws://${options.host}${options.path}`, client);
    const finish = (error: unknown) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      webSocket.off('open', onOpen);
      if (error === undefined) {
        resolve(new WebSocketDuplex(webSocket));
        webSocket.off('error', onError);
      } else {
        webSocket.terminate();
        socket.destroy();
        reject(error);
      }
    };
    const onOpen = () => finish(undefined);
    const onError = (error: Error) => finish(error);
    const onAbort = () => finish(signal?.reason);
    // Not the option of `ws`: it does not count on a socket that is already connected.
    const timer = setTimeout(
      () => finish(new Error(`The WebSocket handshake timed out after ${options.timeoutMs} ms`)),
      options.timeoutMs,
    );
    webSocket.on('open', onOpen);
    webSocket.on('error', onError);
    signal?.addEventListener('abort', onAbort);
  });
}
