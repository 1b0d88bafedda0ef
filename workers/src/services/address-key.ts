import { networkOf } from './network-of.ts';

/**
 * Under which key an address is counted: an IPv4 address alone, an IPv6 one with its /64, which is what one subscriber
 * has.
 *
 * @param address As a proxy gives it, see networkOf().
 * @returns null for none, for this machine itself, and for what is not an address.
 */
export function addressKey(address: string | undefined): string | null {
  const network = address === undefined ? null : networkOf(address);
  if (network === null || network.includes(':')) return network;
  return /[\d.]+$/.exec(address?.split(',').at(-1)?.trim() ?? '')?.[0] ?? null;
}
