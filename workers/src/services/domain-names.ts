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

export type CheckedName = { ok: true; name: ChosenName } | RefusedName;

/** `quarantine`: nobody else can have it before `until`. */
export type RefusedName = { ok: false; fault: NameFault } | { ok: false; fault: 'quarantine'; until: string | null };

export interface DomainNamesOptions {
  /** The first is the default. */
  baseDomains: readonly [string, ...string[]];
}

/** Which names there can be, and for whom. */
export class DomainNames {
  readonly #domains: Pick<DomainRepository, 'reservation'>;
  /** The first is the default. */
  readonly baseDomains: readonly [string, ...string[]];

  constructor(deps: { domains: Pick<DomainRepository, 'reservation'> }, options: DomainNamesOptions) {
    this.#domains = deps.domains;
    this.baseDomains = options.baseDomains;
  }

  /**
   * The name that a request asks for; a random one when it asks for none.
   *
   * @throws {TunnoxError} `name_invalid` with its reason, `subdomain_taken` for a name in quarantine, `invalid` for a base
   *   domain that is none of ours
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
      return this.#demand(this.#subdomain(wish.subdomain, baseDomain), wish.subdomain, '/subdomain', userId);
    }
    const label = randomName(randomInteger);
    return { fullDomain: `${label}.${baseDomain}`, under: { subdomain: label, baseDomain } };
  }

  /** @param name A label, or a whole name (under a base domain, or a custom one). */
  async check(name: string, baseDomain: string | undefined, userId: number | null): Promise<CheckedName> {
    const checked = this.parse(name, baseDomain);
    return checked.ok ? this.#unlessReserved(checked.name, userId) : checked;
  }

  /** The same without a look at what is reserved. */
  parse(name: string, baseDomain: string | undefined): CheckedName {
    const whole = name.toLowerCase().replace(/\.$/, '');
    // One base domain may lie under another: the longest counts.
    const [base] = this.baseDomains
      .filter((domain) => whole.endsWith(`.${domain}`) && !this.baseDomains.includes(whole))
      .sort((a, b) => b.length - a.length);
    if (base !== undefined) return this.#subdomain(whole.slice(0, -base.length - 1), base);
    return name.includes('.') ? this.#custom(name) : this.#subdomain(name, this.#baseDomain(baseDomain));
  }

  async #demand(checked: CheckedName, wish: string, pointer: string, userId: number | null): Promise<ChosenName> {
    const allowed = checked.ok ? await this.#unlessReserved(checked.name, userId) : checked;
    if (!allowed.ok) throw refusal(wish, allowed, pointer);
    return allowed.name;
  }

  async #unlessReserved(name: ChosenName, userId: number | null): Promise<CheckedName> {
    const kept = await this.#domains.reservation(name.fullDomain, name.under?.subdomain ?? null, userId);
    if (kept === null) return { ok: true, name };
    const { reason, until } = kept;
    return reason === 'quarantine' ? { ok: false, fault: reason, until } : { ok: false, fault: reason };
  }

  #subdomain(label: string, baseDomain: string): CheckedName {
    const checked = checkSubdomain(label);
    if (!checked.ok) return checked;
    const fullDomain = `${checked.name}.${baseDomain}`;
    if (fullDomain.length > 253) return { ok: false, fault: 'too_long' };
    // A base domain under a base domain.
    if (this.baseDomains.includes(fullDomain)) return { ok: false, fault: 'reserved' };
    return { ok: true, name: { fullDomain, under: { subdomain: checked.name, baseDomain } } };
  }

  #custom(name: string): CheckedName {
    const checked = checkCustomDomain(name, this.baseDomains);
    return checked.ok ? { ok: true, name: { fullDomain: checked.name, under: null } } : checked;
  }

  #baseDomain(wish: string | undefined): string {
    if (wish === undefined) return this.baseDomains[0];
    const name = wish.toLowerCase();
    if (this.baseDomains.includes(name)) return name;
    throw invalid('/base_domain', `must be one of ${this.baseDomains.join(', ')}`);
  }
}

/** Why somebody cannot have a name. */
export function refusal(name: string, refused: RefusedName, pointer: string): TunnoxError {
  const shown = name === '' ? 'The name' : name.slice(0, 64);
  if (refused.fault === 'quarantine') {
    const { fault: reason, until } = refused;
    return new TunnoxError('subdomain_taken', `${shown} was given up and is kept for its last owner until ${until}`, {
      details: { reason, until },
    });
  }
  const detail = NAME_FAULTS[refused.fault];
  return new TunnoxError('name_invalid', `${shown} ${detail}`, {
    details: { reason: refused.fault, errors: [{ pointer, detail }] },
  });
}
