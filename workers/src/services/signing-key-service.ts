import type { SigningKey } from '@tunnox/domain/api/signing-keys';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { KEYS_CACHE_MS, KNOWN_BEFORE_MS, retiredForS } from '../tickets/key-times.ts';
import type { SigningKeys } from '../tickets/signing-keys.ts';
import { auditOf } from './audit.ts';
import type { NodeRegistry } from './live-ports.ts';
import type { KeyPurpose, SigningKeyRepository } from './signing-key-ports.ts';
import type { Log } from './node-ports.ts';
import { type Caller, requireOperator } from './principal.ts';

export interface SigningKeyServiceDeps {
  repository: SigningKeyRepository;
  keys: SigningKeys;
  registry: Pick<NodeRegistry, 'tellKeys'>;
  /** Milliseconds since 1970. */
  now: () => number;
  log: Log;
}

/** So many keys of a purpose verify at once: relays keep them all, and tickets are not rotated every hour. */
const KEYS_MAX = 8;

/** The keys with which the control plane signs. For operators. */
export class SigningKeyService {
  readonly #deps: SigningKeyServiceDeps;

  constructor(deps: SigningKeyServiceDeps) {
    this.#deps = deps;
  }

  async list(caller: Caller): Promise<{ signing_keys: SigningKey[] }> {
    requireOperator(caller);
    return { signing_keys: await this.#deps.repository.list() };
  }

  /**
   * A new key takes the place of the active one, which verifies until the last of its tokens has ended. Relays are told
   * now; should that fail, the sweep does it before the key is used.
   *
   * @throws {TunnoxError} `forbidden`, `conflict`
   */
  async rotate(caller: Caller, purpose: KeyPurpose): Promise<SigningKey> {
    requireOperator(caller);
    const { repository, keys } = this.#deps;
    // The first key of a purpose is made at its first use.
    await keys.signing(purpose);
    const key = await keys.make(purpose);
    const { kid, algorithm } = key;
    const made = await repository.replace(purpose, key, {
      ...{ retiredForS: retiredForS(purpose), keysMax: KEYS_MAX, countedForS: null },
      audit: auditOf(caller, 'signing_key.rotate', { after: { purpose, kid, algorithm } }),
    });
    if (made === null) {
      throw new TunnoxError(
        'conflict',
        `The key was rotated at this moment, or ${KEYS_MAX} keys for '${purpose}' verify already; wait until one has ended`,
      );
    }
    await this.#tell(purpose).catch((error: unknown) => {
      this.#deps.log.warn({ err: String(error), purpose }, 'Relays will be told of the new key by the sweep');
    });
    return made;
  }

  /** Removes keys that have ended, and repeats to relays what they must know before a new key signs. */
  async sweep(): Promise<void> {
    const { repository, now } = this.#deps;
    await repository.removeEnded();
    const newSince = now() - KNOWN_BEFORE_MS.ticket - KEYS_CACHE_MS;
    const listed = await repository.list();
    const isNew = listed.some(({ purpose, created_at }) => purpose === 'ticket' && Date.parse(created_at) > newSince);
    if (isNew) await this.#tell('ticket');
  }

  async #tell(purpose: KeyPurpose): Promise<void> {
    // Read anew also when nobody is told: this isolate shall know the key at once.
    const jwks = await this.#deps.keys.jwks(purpose);
    if (purpose === 'ticket') await this.#deps.registry.tellKeys(jwks);
  }
}
