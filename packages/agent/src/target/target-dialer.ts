import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { formatHostPort } from '@tunnox/streams/host-port';
import type { AllowList } from './allow-list.ts';
import type { Lookup } from './cached-lookup.ts';
import { TargetError, targetErrorOf } from './target-error.ts';

/** Resolving, connecting and TLS together. */
const DIAL_TIMEOUT_MS = 10_000;
/** Happy eyeballs: head start of each address over the next one. Targets are near. */
const ATTEMPT_TIMEOUT_MS = 500;

export interface Target {
  scheme: 'http' | 'https' | 'tcp';
  host: string;
  port: number;
}

export interface TargetDialerDeps {
  allowList: AllowList;
  /** Resolves names. */
  lookup: Lookup;
}

export interface TargetDialerOptions {
  /** Accept any certificate of `https` targets; those on loopback are never checked. */
  insecureTls?: boolean;
  dialTimeoutMs?: number;
}

/** Connects to what a binding names, when the allow list lets it. */
export class TargetDialer {
  readonly #allowList: AllowList;
  readonly #lookup: Lookup;
  readonly #insecureTls: boolean;
  readonly #timeoutMs: number;

  constructor(deps: TargetDialerDeps, options: TargetDialerOptions = {}) {
    this.#allowList = deps.allowList;
    this.#lookup = deps.lookup;
    this.#insecureTls = options.insecureTls ?? false;
    this.#timeoutMs = options.dialTimeoutMs ?? DIAL_TIMEOUT_MS;
  }

  /**
   * @returns A connected socket that stays half-open when the target ends its side.
   * @throws {TargetError} with `refused`, `timeout`, `unreachable`, `dns`, `tls` or `not_allowed`
   */
  async dial(target: Target, signal: AbortSignal): Promise<Socket> {
    const place = formatHostPort(target.host, target.port);
    if (isIP(target.host) !== 0) this.#check(target.host, target.port);
    const tcp = connect({
      host: target.host,
      port: target.port,
      allowHalfOpen: true,
      noDelay: true,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS,
      lookup: this.#guardedLookup(target.port),
    });
    const opened: Socket[] = [tcp];
    const give = (error: Error): void => void opened.at(-1)?.destroy(error);
    const timer = setTimeout(give, this.#timeoutMs, new TargetError('timeout', `${place} does not answer`));
    const onAbort = (): void => give(new TargetError('lost', 'The visitor went away'));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await until(tcp, 'connect');
      if (target.scheme !== 'https') return tcp;
      const tls = connectTls({
        // Half-open like `tcp`: TLSSocket takes that over.
        socket: tcp,
        ALPNProtocols: ['http/1.1'],
        rejectUnauthorized: !this.#insecureTls && !isLoopback(tcp.remoteAddress),
        // RFC 6066: no address literals in SNI.
        ...(isIP(target.host) === 0 ? { servername: target.host } : {}),
        host: target.host,
      });
      opened.push(tls);
      await until(tls, 'secureConnect').catch((error: unknown) => {
        tcp.destroy();
        throw error instanceof TargetError ? error : tlsErrorOf(error, place);
      });
      return tls;
    } catch (error) {
      throw targetErrorOf(error, place);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #check(address: string, port: number): void {
    if (this.#allowList.allows(address, port)) return;
    throw new TargetError('not_allowed', `This agent does not allow connections to ${address} port ${port}`);
  }

  /** Resolves a name and leaves out what the allow list forbids: what is checked is what is dialled. */
  #guardedLookup(port: number): LookupFunction {
    return (hostname, _options, callback) => {
      this.#lookup(hostname, (error, addresses) => {
        if (error !== null) return callback(error, []);
        const allowed = addresses.filter(({ address }) => this.#allowList.allows(address, port));
        if (allowed.length > 0) return callback(null, allowed);
        const text = `This agent does not allow connections to ${hostname} port ${port}`;
        callback(new TargetError('not_allowed', text), []);
      });
    };
  }
}

/** Rejects with what the socket was destroyed with, too: an abort must not hang. */
function until(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      socket.off(event, onOpen).off('error', settle).off('close', onClose);
      if (error === undefined) return resolve();
      // A late second error of a socket that is given up.
      socket.on('error', () => {});
      reject(error);
    };
    const onOpen = (): void => settle();
    const onClose = (): void => settle(new TargetError('unreachable', 'The connection was closed'));
    socket.once(event, onOpen).once('error', settle).once('close', onClose);
  });
}

function tlsErrorOf(error: unknown, place: string): TargetError {
  const message = error instanceof Error ? error.message : String(error);
  return new TargetError('tls', `TLS with ${place} failed: ${message}`, { cause: error });
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(?:127\.|::1$|::ffff:127\.)/.test(address);
}
