import type { Jwks } from '@tunnox/domain/relay-api';
import type {
  KeyPurpose,
  NewSigningKey,
  SigningAlgorithm,
  SigningKeyRepository,
  StoredSigningKey,
} from '../services/signing-key-ports.ts';
import type { Cipher } from '../services/ports.ts';
import { type KeyMaterial, makeKey, openSigningHalf, openVerifyingHalf } from './key-material.ts';
import { KEYS_CACHE_MS, KNOWN_BEFORE_MS, retiredForS } from './key-times.ts';

/** Tokens with invented key ids must not cost a statement each. */
const RELOAD_MS_MIN = 1000;

/**
 * So many keys of a purpose are made in an hour because the setting says another algorithm: two versions of the Worker
 * with different settings, side by side, would otherwise replace each other's key with every request.
 */
const SWITCHES_MAX = 5;
const SWITCHES_S = 3600;

export interface SigningKeysDeps {
  repository: SigningKeyRepository;
  cipher: Cipher;
  /** Milliseconds since 1970. */
  now: () => number;
}

export interface SigningKeysOptions {
  /** Of tokens of people who log in; all others are ES256, which relays verify. */
  sessionAlgorithm: SigningAlgorithm;
}

/** A key together with the one algorithm for which it may be used. */
export interface SigningKeyInUse {
  kid: string;
  algorithm: SigningAlgorithm;
  material: KeyMaterial;
}

interface LoadedKeys {
  loadedAt: number;
  /** The newest first. */
  signing: (SigningKeyInUse & { createdAtMs: number })[];
  verifying: Map<string, SigningKeyInUse>;
  jwks: Jwks;
}

/**
 * Keys with which the control plane signs, one set for each purpose. They are made at their first use, whichever Worker
 * is first, and stay in Postgres, encrypted. Several may verify at a time, one signs.
 */
export class SigningKeys {
  readonly #deps: SigningKeysDeps;
  readonly #options: SigningKeysOptions;
  // Values, not promises: a promise of one request must not be awaited by another in workerd.
  readonly #loaded = new Map<KeyPurpose, LoadedKeys>();
  readonly #missedAt = new Map<KeyPurpose, number>();

  constructor(deps: SigningKeysDeps, options: SigningKeysOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The key that signs now: the newest that has been known for long enough. */
  async signing(purpose: KeyPurpose): Promise<SigningKeyInUse> {
    const { signing } = await this.#keys(purpose, KEYS_CACHE_MS);
    const knownSince = this.#deps.now() - KNOWN_BEFORE_MS[purpose];
    const key = signing.find(({ createdAtMs }) => createdAtMs <= knownSince) ?? signing.at(-1);
    if (key === undefined) throw new Error(`Cannot sign: there is no key for '${purpose}'`);
    return key;
  }

  /** The key `kid`; null when it does not exist or no longer verifies. */
  async verifying(purpose: KeyPurpose, kid: string): Promise<SigningKeyInUse | null> {
    const known = (await this.#keys(purpose, KEYS_CACHE_MS)).verifying.get(kid);
    if (known !== undefined) return known;
    const now = this.#deps.now();
    if (now - (this.#missedAt.get(purpose) ?? Number.NEGATIVE_INFINITY) < RELOAD_MS_MIN) return null;
    this.#missedAt.set(purpose, now);
    return (await this.#keys(purpose, 0)).verifying.get(kid) ?? null;
  }

  /** Public halves of all keys that verify, as they are now: whoever asks keeps them. */
  async jwks(purpose: KeyPurpose): Promise<Jwks> {
    return (await this.#keys(purpose, 0)).jwks;
  }

  /** A key that is not stored yet. */
  make(purpose: KeyPurpose): Promise<NewSigningKey> {
    return makeKey(this.#algorithmOf(purpose), this.#deps.cipher);
  }

  #algorithmOf(purpose: KeyPurpose): SigningAlgorithm {
    return purpose === 'session' ? this.#options.sessionAlgorithm : 'ES256';
  }

  async #keys(purpose: KeyPurpose, ageMsMax: number): Promise<LoadedKeys> {
    const held = this.#loaded.get(purpose);
    if (held !== undefined && this.#deps.now() - held.loadedAt < ageMsMax) return held;
    try {
      const loaded = await this.#load(purpose);
      this.#loaded.set(purpose, loaded);
      return loaded;
    } catch (error) {
      // Postgres is away: the keys that were good a minute ago are.
      if (held !== undefined) return held;
      throw error;
    }
  }

  async #load(purpose: KeyPurpose): Promise<LoadedKeys> {
    const { repository, cipher, now } = this.#deps;
    let stored = await repository.load(purpose);
    const active = stored.find((key) => key.active);
    if (active?.algorithm !== this.#algorithmOf(purpose)) {
      await this.#change(purpose, active);
      stored = await repository.load(purpose);
    }
    const signing: LoadedKeys['signing'] = [];
    const verifying: LoadedKeys['verifying'] = new Map();
    for (const key of stored) {
      const { kid, algorithm, createdAtMs } = key;
      signing.push({ kid, algorithm, material: await openSigningHalf(key, cipher), createdAtMs });
      verifying.set(kid, { kid, algorithm, material: await openVerifyingHalf(key, cipher) });
    }
    return { loadedAt: now(), signing, verifying, jwks: { keys: stored.flatMap(published) } };
  }

  /** The first key of the purpose, or one of the algorithm that the setting says. */
  async #change(purpose: KeyPurpose, active: StoredSigningKey | undefined): Promise<void> {
    const { repository } = this.#deps;
    const key = await this.make(purpose);
    if (active === undefined) return await repository.add(purpose, key);
    const { algorithm } = key;
    const [before, after] = [
      { purpose, algorithm: active.algorithm },
      { purpose, algorithm },
    ];
    await repository.replace(purpose, key, {
      retiredForS: retiredForS(purpose),
      keysMax: SWITCHES_MAX,
      countedForS: SWITCHES_S,
      audit: {
        ...{ actorType: 'system', actorId: null, requestId: null },
        ...{ action: 'signing_key.rotate', before, after },
      },
    });
  }
}

/** What relays are given: they verify ES256 alone. */
function published({ kid, publicJwk }: StoredSigningKey): Jwks['keys'] {
  return publicJwk?.kty === 'EC' ? [{ ...publicJwk, kid, alg: 'ES256', use: 'sig' }] : [];
}
