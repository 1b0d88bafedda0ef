import { checkCustomDomain, checkSubdomain, NAME_FAULTS, type NameFault } from '@tunnox/domain/name-rules';
import { randomName } from '@tunnox/domain/random-name';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { DomainRepository } from './binding-ports.ts';
import { invalid } from './principal.ts';
import { randomInteger } from './random.ts';

/** A name in normal form; `under` null: a custom domain. */
export interface ChosenName {
  fullDomain: string;
  under: { subdomain: string; baseDomain: string } | null;
}

export type CheckedName = { ok: true; name: ChosenName } | { ok: false; fault: NameFault };

export interface DomainNamesOptions {
  /** The first is the default. */
  baseDomains: readonly [string, ...string[]];
}

/** Which names there can be, and for whom. */
export class DomainNames {
  readonly #domains: Pick<DomainRepository, 'reserved'>;
  readonly #baseDomains: readonly [string, ...string[]];

  constructor(deps: { domains: Pick<DomainRepository, 'reserved'> }, options: DomainNamesOptions) {
    this.#domains = deps.domains;
    this.#baseDomains = options.baseDomains;
  }

  /**
   * The name that a request asks for; a random one when it asks for none.
   *
   * @throws {TunnoxError} `name_invalid` with its reason, `invalid` for a base domain that is none of ours
   */
  async choose(
    wish: { subdomain?: string | undefined; domain?: string | undefined; base_domain?: string | undefined },
    userId: number | null,
  ): Promise<ChosenName> {
    if (wish.domain !== undefined) {
      if (wish.base_domain !== undefined) throw invalid('/base_domain', 'must not be given together with domain');
      return this.#demand(this.#custom(wish.domain), wish.domain, '/domain', userId);
    }
    const baseDomain = this.#baseDomain(wish.base_domain);
    if (wish.subdomain !== undefined) {
      return this.#demand(subdomain(wish.subdomain, baseDomain), wish.subdomain, '/subdomain', userId);
    }
    const label = randomName(randomInteger);
    return { fullDomain: `${label}.${baseDomain}`, under: { subdomain: label, baseDomain } };
  }

  /** @param name A label, or a whole name (under a base domain, or a custom one). */
  async check(name: string, baseDomain: string | undefined, userId: number | null): Promise<CheckedName> {
    const whole = name.toLowerCase().replace(/\.$/, '');
    const base = this.#baseDomains.find((domain) => whole.endsWith(`.${domain}`));
    const checked =
      base !== undefined
        ? subdomain(whole.slice(0, -base.length - 1), base)
        : name.includes('.')
          ? this.#custom(name)
          : subdomain(name, this.#baseDomain(baseDomain));
    if (checked.ok && (await this.#isReserved(checked.name, userId))) return { ok: false, fault: 'reserved' };
    return checked;
  }

  async #demand(checked: CheckedName, wish: string, pointer: string, userId: number | null): Promise<ChosenName> {
    if (!checked.ok) throw nameInvalid(wish, checked.fault, pointer);
    if (await this.#isReserved(checked.name, userId)) throw nameInvalid(wish, 'reserved', pointer);
    return checked.name;
  }

  #isReserved({ fullDomain, under }: ChosenName, userId: number | null): Promise<boolean> {
    return this.#domains.reserved(fullDomain, under?.subdomain ?? null, userId);
  }

  #custom(name: string): CheckedName {
    const checked = checkCustomDomain(name, this.#baseDomains);
    return checked.ok ? { ok: true, name: { fullDomain: checked.name, under: null } } : checked;
  }

  #baseDomain(wish: string | undefined): string {
    if (wish === undefined) return this.#baseDomains[0];
    const name = wish.toLowerCase();
    if (this.#baseDomains.includes(name)) return name;
    throw invalid('/base_domain', `must be one of ${this.#baseDomains.join(', ')}`);
  }
}

export function nameInvalid(name: string, fault: NameFault, pointer: string): TunnoxError {
  const detail = NAME_FAULTS[fault];
  const shown = name === '' ? 'The name' : name.slice(0, 64);
  return new TunnoxError('name_invalid', `${shown} ${detail}`, {
    details: { reason: fault, errors: [{ pointer, detail }] },
  });
}

function subdomain(label: string, baseDomain: string): CheckedName {
  const checked = checkSubdomain(label);
  if (!checked.ok) return checked;
  const fullDomain = `${checked.name}.${baseDomain}`;
  if (fullDomain.length > 253) return { ok: false, fault: 'too_long' };
  return { ok: true, name: { fullDomain, under: { subdomain: checked.name, baseDomain } } };
}
