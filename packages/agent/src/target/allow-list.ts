import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { AllowRule } from './allow-rule.ts';

/**
 * Link-local addresses and the metadata services of clouds, which give credentials to whoever can reach them. A rule
 * opens one of them only by naming it, or a part of its range: `*` does not.
 */
const GUARDED: AllowRule['ranges'] = [
  { network: '169.254.0.0', prefix: 16, family: 'ipv4' },
  { network: 'fe80::', prefix: 10, family: 'ipv6' },
  // AWS (IPv6), Alibaba, Oracle, Azure.
  { network: 'fd00:ec2::', prefix: 32, family: 'ipv6' },
  { network: '100.100.100.200', prefix: 32, family: 'ipv4' },
  { network: '192.0.0.192', prefix: 32, family: 'ipv4' },
  { network: '168.63.129.16', prefix: 32, family: 'ipv4' },
];

/** Which addresses this agent dials, whatever its configuration says. Checked on resolved addresses, not on names. */
export class AllowList {
  readonly #rules: { rule: AllowRule; addresses: BlockList; explicit: BlockList }[];
  readonly #others: 'allowed' | 'denied';
  readonly #guarded = blockList(GUARDED);

  /** @param others What becomes of addresses that no rule covers and that are not guarded. */
  constructor(rules: AllowRule[], others: 'allowed' | 'denied') {
    this.#rules = rules.map((rule) => ({
      rule,
      addresses: blockList(rule.ranges),
      explicit: blockList(rule.ranges.filter(isWithinGuarded)),
    }));
    this.#others = others;
  }

  /** @param address An IP address, with or without a zone; anything else is denied. */
  allows(address: string, port: number): boolean {
    const plain = address.replace(/%.*$/, '');
    if (!isIPv4(plain) && !isIPv6(plain)) return false;
    const embedded = embeddedIpv4(plain);
    const guarded = contains(this.#guarded, plain) || (embedded !== null && contains(this.#guarded, embedded));
    const matches = this.#rules.some(({ rule, addresses, explicit }) => {
      if (port < rule.portFrom || port > rule.portTo) return false;
      const list = guarded ? explicit : addresses;
      return contains(list, plain) || (embedded !== null && contains(list, embedded));
    });
    return matches || (!guarded && this.#others === 'allowed');
  }
}

function isWithinGuarded(range: AllowRule['ranges'][number]): boolean {
  return GUARDED.some((guard) => range.prefix >= guard.prefix && contains(blockList([guard]), range.network));
}

function blockList(ranges: AllowRule['ranges']): BlockList {
  const list = new BlockList();
  for (const { network, prefix, family } of ranges) list.addSubnet(network, prefix, family);
  return list;
}

function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}

/**
 * The IPv4 address to which an IPv6 address leads: IPv4-mapped (`::ffff:0:0/96`), IPv4-compatible (`::/96`) and NAT64
 * (`64:ff9b::/96`, RFC 6052); null for the others.
 */
function embeddedIpv4(address: string): string | null {
  if (!isIPv6(address)) return null;
  const groups = ipv6Groups(address);
  const head = groups.slice(0, 6).join(':');
  if (head !== '0:0:0:0:0:65535' && head !== '0:0:0:0:0:0' && head !== '100:65435:0:0:0:0') return null;
  const [high = 0, low = 0] = groups.slice(6);
  // `::` and `::1` are addresses of their own.
  if (head === '0:0:0:0:0:0' && high === 0) return null;
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The eight groups of a valid IPv6 address as numbers. */
function ipv6Groups(address: string): number[] {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  let text = address;
  if (dotted !== null) {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.slice(1).map(Number);
    text = `${address.slice(0, dotted.index)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [left = '', right] = text.split('::');
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const front = parse(left);
  if (right === undefined) return front;
  const back = parse(right);
  return [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
}
