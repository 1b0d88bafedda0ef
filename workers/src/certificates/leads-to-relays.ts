import { isWithin } from '@tunnox/domain/host-name';
import type { DnsAnswer } from '../services/domain-proof-ports.ts';

export interface LeadsDeps {
  look: (name: string, type: 'A' | 'AAAA') => Promise<DnsAnswer>;
  /** IP addresses at which visitors reach relays, as far as they are known. */
  relayAddresses: () => Promise<string[]>;
}

export type Leading = { leads: true } | { leads: false; /** A sentence without its end. */ reason: string };

/** Nobody's name: what it leads to is where all names under a base domain lead. */
const ANY_LABEL = 'tunnox-any-name';
const SHOWN_MAX = 4;

/** Whether a name leads visitors, and with them a certificate authority, to the relays: by an alias, or by addresses. */
export async function leadsToRelays(deps: LeadsDeps, name: string, baseDomains: readonly string[]): Promise<Leading> {
  const { chain, addresses } = await addressesOf(deps, name);
  if (addresses.length === 0) {
    return { leads: false, reason: `${name} has no address in the DNS, so it does not lead to the relays` };
  }
  if (chain.some((alias) => baseDomains.some((baseDomain) => isWithin(alias, baseDomain)))) return { leads: true };
  const known = new Set(await deps.relayAddresses());
  // A balancer in front of the relays has addresses of its own.
  if (!addresses.every((address) => known.has(address))) {
    const others = await Promise.all(baseDomains.map((baseDomain) => addressesOf(deps, `${ANY_LABEL}.${baseDomain}`)));
    for (const address of others.flatMap((one) => one.addresses)) known.add(address);
  }
  const strange = addresses.filter((address) => !known.has(address));
  if (strange.length === 0) return { leads: true };
  // An authority may choose any of them.
  return { leads: false, reason: `${name} leads to ${strange.slice(0, SHOWN_MAX).join(', ')}, which is no relay` };
}

async function addressesOf({ look }: LeadsDeps, name: string) {
  const answers = await Promise.all([look(name, 'A'), look(name, 'AAAA')]);
  return {
    chain: answers.flatMap(({ chain }) => chain),
    addresses: [...new Set(answers.flatMap(({ values }) => values))],
  };
}
