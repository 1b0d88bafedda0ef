import { isIP } from 'node:net';

/** Addresses and ports that a rule covers. */
export interface AllowRule {
  ranges: { network: string; prefix: number; family: 'ipv4' | 'ipv6' }[];
  portFrom: number;
  portTo: number;
}

/** Any address, one address, a CIDR range or `localhost`; then ports. IPv6 stands in brackets when ports follow. */
const RULE =
  /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^:[\]]+)|(?<bare>[0-9a-fA-F:.]+(?:\/\d+)?))(?::(?<from>\d+)(?:-(?<to>\d+))?)?$/;

/**
 * Parses one allow rule: `10.0.0.0/8`, `127.0.0.1:5432`, `[fd00::/8]:80-90`, `localhost:3000`, `*:22`.
 *
 * @throws {Error} that says what is wrong with `text`.
 */
export function parseAllowRule(text: string): AllowRule {
  const groups = RULE.exec(text.trim())?.groups;
  const host = groups?.['bracketed'] ?? groups?.['plain'] ?? groups?.['bare'];
  if (groups === undefined || host === undefined) throw problem(text);
  const portFrom = Number(groups['from'] ?? 1);
  const portTo = Number(groups['to'] ?? groups['from'] ?? 65_535);
  if (portFrom < 1 || portTo > 65_535 || portFrom > portTo) throw problem(text);
  return { ranges: rangesOf(host, text), portFrom, portTo };
}

function rangesOf(host: string, text: string): AllowRule['ranges'] {
  if (host === '*') {
    return [
      { network: '0.0.0.0', prefix: 0, family: 'ipv4' },
      { network: '::', prefix: 0, family: 'ipv6' },
    ];
  }
  if (host === 'localhost') {
    return [
      { network: '127.0.0.0', prefix: 8, family: 'ipv4' },
      { network: '::1', prefix: 128, family: 'ipv6' },
    ];
  }
  const [network = '', bits, ...rest] = host.split('/');
  const version = isIP(network);
  if (version === 0 || rest.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) throw problem(text);
  const widest = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? widest : Number(bits);
  if (prefix > widest) throw problem(text);
  return [{ network, prefix, family: version === 4 ? 'ipv4' : 'ipv6' }];
}

function problem(text: string): Error {
  return new Error(
    `Cannot read the allow rule '${text}': it must be an address, a CIDR range, 'localhost' or '*', ` +
      `with or without ':port' or ':from-to', such as '10.0.0.0/8', 'localhost:3000', '[fd00::/8]:80-90'`,
  );
}
