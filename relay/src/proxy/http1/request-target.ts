import { malformed } from './malformed.ts';

/**
 * Brings a request target into the form for an origin server: origin-form, or `*`.
 *
 * @param host Value of the Host header, which an absolute target must repeat.
 * @throws {TunnoxError} `malformed` for an authority-form or relative target, a scheme other than http(s), user
 *   information, an authority that differs from Host
 * @see RFC 9112, section 3.2
 */
export function originTarget(target: string, method: string, host: string): string {
  if (target.charCodeAt(0) === 0x2f) return target;
  if (target === '*') {
    if (method === 'OPTIONS') return target;
    throw malformed('Only OPTIONS may have the target *');
  }
  // What CONNECT names is its own matter: the method is refused as a whole.
  if (method === 'CONNECT') return target;
  const match = /^(https?):\/\/([^/?]+)(.*)$/i.exec(target);
  if (match === null) throw malformed('The request target is not a path');
  const [, scheme = '', authority = '', rest = ''] = match;
  const defaultPort = scheme.toLowerCase() === 'https' ? ':443' : ':80';
  if (withoutPort(authority, defaultPort) !== withoutPort(host, defaultPort)) {
    throw malformed('The request target and Host name different hosts');
  }
  if (rest.startsWith('/')) return rest;
  return rest === '' && method === 'OPTIONS' ? '*' : `/${rest}`;
}

function withoutPort(authority: string, defaultPort: string): string {
  const lower = authority.toLowerCase();
  return lower.endsWith(defaultPort) ? lower.slice(0, -defaultPort.length) : lower;
}
