import { canonicalValue } from '@tunnox/dns-plan/record-type';
import { isWithin } from '@tunnox/domain/host-name';
import { acmeDelegation } from './acme-delegation.ts';
import type { DnsAnswer, DnsResolver } from './domain-proof-ports.ts';
import type { DnsFinding, DomainSetupRepository, SetupDomain, SetupSeen } from './domain-setup-ports.ts';

export interface SetupLooksDeps {
  setups: DomainSetupRepository;
  resolver: DnsResolver;
  /** Milliseconds since 1970. */
  now: () => number;
}

export interface SetupLooksOptions {
  baseDomains: readonly [string, ...string[]];
  /** Name under a base domain that leads to the relays. */
  targetLabel: string;
}

/** What is told of records that somebody else made. */
const VALUES_SHOWN = 10;
const VALUE_SHOWN_LENGTH = 255;

/** Looks at where custom domains lead. */
export class SetupLooks {
  readonly #deps: SetupLooksDeps;
  readonly #options: SetupLooksOptions;

  constructor(deps: SetupLooksDeps, options: SetupLooksOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Addresses by which visitors reach the relays: what the relays say, and what our own name leads to. */
  async ourAddresses(): Promise<Set<string>> {
    const { setups, resolver } = this.#deps;
    const { baseDomains, targetLabel } = this.#options;
    const name = `${targetLabel}.${baseDomains[0]}`;
    const [known, ...answers] = await Promise.all([
      setups.relayAddresses(),
      resolver.lookUp(name, 'A'),
      resolver.lookUp(name, 'AAAA'),
    ]);
    return new Set([...known, ...answers.flatMap(({ values }) => values)].map(canonicalAddress));
  }

  /** @throws {TunnoxError} `unavailable` when the resolver cannot be asked */
  async look({ fullDomain }: SetupDomain, ours: ReadonlySet<string>): Promise<SetupSeen> {
    const { resolver, now } = this.#deps;
    const { baseDomains } = this.#options;
    const delegation = acmeDelegation(fullDomain, baseDomains[0]);
    const [v4, v6, challenge] = await Promise.all([
      resolver.lookUp(fullDomain, 'A'),
      resolver.lookUp(fullDomain, 'AAAA'),
      resolver.lookUp(delegation.name, 'CNAME'),
    ]);
    const targets = new Set(baseDomains.map((base) => acmeDelegation(fullDomain, base).value));
    return {
      checkedAt: new Date(now()).toISOString(),
      dns: { finding: findingOf(v4, v6, ours, baseDomains), found: shown([...v4.chain, ...v4.values, ...v6.values]) },
      delegation: {
        delegated: challenge.chain.some((alias) => targets.has(alias)),
        found: shown(challenge.chain),
      },
    };
  }

  /** Looks at one now and writes down what was seen. */
  async refresh(domain: SetupDomain): Promise<void> {
    const seen = await this.look(domain, await this.ourAddresses());
    await this.#deps.setups.record([{ domainId: domain.domainId, seen }]);
  }
}

function findingOf(
  v4: DnsAnswer,
  v6: DnsAnswer,
  ours: ReadonlySet<string>,
  baseDomains: readonly string[],
): DnsFinding {
  const addresses = [...v4.values, ...v6.values].map(canonicalAddress);
  const leadsHere = [...v4.chain, ...v6.chain].some((alias) => baseDomains.some((base) => isWithin(alias, base)));
  if (leadsHere) return 'here';
  if (addresses.length > 0) {
    const here = addresses.filter((address) => ours.has(address)).length;
    return here === addresses.length ? 'here' : here > 0 ? 'partly' : 'elsewhere';
  }
  // An alias that leads nowhere is somebody else's all the same.
  if (v4.chain.length > 0) return 'elsewhere';
  const isAnswer = ({ rcode }: DnsAnswer) => rcode === 'NOERROR' || rcode === 'NXDOMAIN';
  return isAnswer(v4) && isAnswer(v6) ? 'missing' : 'failed';
}

function canonicalAddress(text: string): string {
  const parsed = canonicalValue(text.includes(':') ? 'AAAA' : 'A', text, { name: '', zone: '' });
  return parsed.ok ? parsed.value : text;
}

function shown(values: readonly string[]): string[] {
  return [...new Set(values)].slice(0, VALUES_SHOWN).map((value) => value.slice(0, VALUE_SHOWN_LENGTH));
}
