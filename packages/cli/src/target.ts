import { isIP } from 'node:net';
import { UsageError } from './usage-error.ts';

/** What a person wants to make reachable. */
export interface TargetAddress {
  scheme: 'http' | 'https' | 'tcp';
  host: string;
  port: number;
}

const DEFAULT_PORTS = { http: 80, https: 443 };
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\.?$/i;

/**
 * Reads the target of `tunnox http`: `3000`, `host:3000`, `[::1]:3000`, `https://host`, `http://host:3000`.
 *
 * @throws {UsageError} that says what is wrong.
 */
export function parseHttpTarget(text: string): TargetAddress {
  const [, scheme, rest] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(text.trim()) ?? [];
  const lower = scheme?.toLowerCase();
  if (lower !== undefined && lower !== 'http' && lower !== 'https') {
    throw problem(text, `its scheme must be http or https, it is ${scheme}`);
  }
  // A trailing slash is what people paste.
  const authority = (rest ?? '').replace(/\/$/, '');
  if (/[/?#]/.test(authority)) throw problem(text, 'a tunnel leads to a whole service: leave the path out');
  if (authority.includes('@')) throw problem(text, 'leave user and password out');
  return {
    scheme: lower ?? 'http',
    ...parseHostPort(authority, text, lower === undefined ? null : DEFAULT_PORTS[lower]),
  };
}

/**
 * Reads the target of `tunnox tcp` and of `--target`: `22`, `host:22`, `[::1]:22`.
 *
 * @throws {UsageError} that says what is wrong.
 */
export function parseTcpTarget(text: string): TargetAddress {
  if (text.includes('://')) throw problem(text, 'it must be a port or host:port');
  return { scheme: 'tcp', ...parseHostPort(text.trim(), text, null) };
}

/** `host:port` as people write it. */
export function formatHostPort(host: string, port: number): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** @throws {UsageError} unless `text` is a port number. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new UsageError(`A port must be a number from 1 to 65535, it is '${text}'`);
  return port;
}

function parseHostPort(authority: string, text: string, defaultPort: number | null): { host: string; port: number } {
  if (/^:?\d+$/.test(authority)) return { host: 'localhost', port: parsePort(authority.replace(':', '')) };
  const groups = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[^:[\]]+))(?::(?<port>\d+))?$/.exec(authority)?.groups;
  const { v6, name, port } = groups ?? {};
  if (v6 !== undefined ? isIP(v6) !== 6 : name === undefined || !isHost(name)) {
    const hint = isIP(authority) === 6 ? 'an IPv6 address stands in brackets' : 'it must be a port or host:port';
    throw problem(text, hint);
  }
  const host = v6 ?? name ?? '';
  if (port !== undefined) return { host, port: parsePort(port) };
  if (defaultPort === null) throw problem(text, `which port? Such as ${formatHostPort(host, 3000)}`);
  return { host, port: defaultPort };
}

/** Digits and dots alone are an IPv4 address or a slip of the keyboard. */
function isHost(name: string): boolean {
  return /^[\d.]+$/.test(name) ? isIP(name) === 4 : HOST_NAME.test(name);
}

function problem(text: string, reason: string): UsageError {
  return new UsageError(`Cannot use '${text}' as target: ${reason}`);
}
