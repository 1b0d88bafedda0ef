import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import { certificateFingerprint } from './spki-fingerprint.ts';
import type { HostPort } from './host-port.ts';
import { quiet } from './quiet.ts';

/** Below HTTP/2 PING: lets the kernel notice a peer that is gone while our process is stopped or busy. */
export const TCP_KEEP_ALIVE_MS = 30_000;

export interface DialOptions {
  /** Time for TCP and TLS together. */
  timeoutMs: number;
  signal?: AbortSignal;
  /** Absent: plain TCP. */
  tls?: DialTls;
}

export interface DialTls {
  /** Lower-case hex SHA-256 of the SubjectPublicKeyInfo that the other side must have; nothing else of its certificate counts. */
  fingerprint: string;
  /** The protocol that the other side must choose; absent: none is offered. */
  alpn?: string;
  /** Own key and certificate for mutual TLS. */
  secureContext?: SecureContext;
}

export type DialCode = 'timeout' | 'unreachable' | 'wrong_key' | 'wrong_protocol';

/** A connection that could not be made. */
export class DialError extends Error {
  readonly code: DialCode;

  constructor(code: DialCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DialError';
    this.code = code;
  }
}

/**
 * Connects to a relay: TCP with TCP_NODELAY and keep-alive, then TLS pinned to its node key if asked for. The socket is
 * meant for an HTTP/2 session: it does not stay half-open.
 *
 * @throws {DialError}; the signal's reason when it aborts first
 */
export function dial(address: HostPort, options: DialOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { signal } = options;
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const where = `${address.host}:${address.port}`;
    const tcp = {
      host: address.host,
      port: address.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    };
    const socket =
      options.tls === undefined ? connectTcp(tcp) : connectTls({ ...tcp, ...tlsOptions(address, options.tls) });
    const finish = (error: unknown) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect);
      socket.off('secureConnect', onSecure);
      socket.off('close', onClose);
      socket.off('error', onError);
      // Whoever gets the socket may be a turn late to listen, and destroy() may still be followed by an error.
      quiet(socket);
      if (error === undefined) {
        resolve(socket);
      } else {
        socket.destroy();
        reject(error);
      }
    };
    const onConnect = () => {
      if (options.tls === undefined) finish(undefined);
    };
    const onSecure = () => finish(verify(socket as TLSSocket, options.tls as DialTls, where));
    const onClose = () => finish(new DialError('unreachable', `Cannot connect to ${where}: it closed the connection`));
    const onError = (error: Error) =>
      finish(new DialError('unreachable', `Cannot connect to ${where}: ${error.message}`, { cause: error }));
    const onAbort = () => finish(signal?.reason);
    const timer = setTimeout(
      () => finish(new DialError('timeout', `Cannot connect to ${where}: no answer in ${options.timeoutMs} ms`)),
      options.timeoutMs,
    );
    socket.on('connect', onConnect);
    socket.on('secureConnect', onSecure);
    socket.on('close', onClose);
    socket.on('error', onError);
    signal?.addEventListener('abort', onAbort);
  });
}

function tlsOptions(address: HostPort, tls: DialTls) {
  return {
    minVersion: 'TLSv1.3' as const,
    // Node keys are self-signed: the pinned fingerprint is the check, made in verify().
    rejectUnauthorized: false,
    ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
    ...(tls.alpn === undefined ? {} : { ALPNProtocols: [tls.alpn] }),
    ...(tls.secureContext === undefined ? {} : { secureContext: tls.secureContext }),
  };
}

function verify(socket: TLSSocket, tls: DialTls, where: string): DialError | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined || certificateFingerprint(certificate.raw) !== tls.fingerprint) {
    return new DialError('wrong_key', `Cannot trust ${where}: its key is not the one that the control plane named`);
  }
  if (tls.alpn !== undefined && socket.alpnProtocol !== tls.alpn) {
    return new DialError('wrong_protocol', `Cannot use ${where}: it does not speak ${tls.alpn}`);
  }
  return undefined;
}
