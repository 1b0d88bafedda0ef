import type { Jwks } from '@tunnox/domain/relay-api';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type CryptoKey } from 'jose';
import type { KeyPurpose, SigningKeyRepository, StoredSigningKey } from '../services/live-ports.ts';
import type { Cipher } from '../services/ports.ts';

export const SIGNING_ALGORITHM = 'ES256';

/** How long an isolate trusts the keys it has read. A key that is not among them is looked for at once. */
const CACHE_MS = 60_000;

/** Tokens with invented key ids must not cost a statement each. */
const RELOAD_MS_MIN = 1000;

export interface SigningKeysDeps {
  repository: SigningKeyRepository;
  cipher: Cipher;
  /** Milliseconds since 1970. */
  now: () => number;
}

interface LoadedKeys {
  loadedAt: number;
  active: { kid: string; privateKey: CryptoKey };
  publicKeys: Map<string, CryptoKey>;
  jwks: Jwks;
}

/**
 * Keys with which the control plane signs, one set for each purpose. They are made at their first use, whichever Worker
 * is first, and stay in Postgres, encrypted. Several may verify at a time, one signs.
 */
export class SigningKeys {
  readonly #deps: SigningKeysDeps;
  // Values, not promises: a promise of one request must not be awaited by another in workerd.
  readonly #loaded = new Map<KeyPurpose, LoadedKeys>();

  constructor(deps: SigningKeysDeps) {
    this.#deps = deps;
  }

  /** The key that signs now. */
  async signing(purpose: KeyPurpose): Promise<{ kid: string; privateKey: CryptoKey }> {
    return (await this.#keys(purpose, CACHE_MS)).active;
  }

  /** The key `kid`; null when it does not exist or no longer verifies. */
  async verifying(purpose: KeyPurpose, kid: string): Promise<CryptoKey | null> {
    const known = (await this.#keys(purpose, CACHE_MS)).publicKeys.get(kid);
    return known ?? (await this.#keys(purpose, RELOAD_MS_MIN)).publicKeys.get(kid) ?? null;
  }

  /** Public halves of all keys that verify. */
  async jwks(purpose: KeyPurpose): Promise<Jwks> {
    return (await this.#keys(purpose, CACHE_MS)).jwks;
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
    if (!stored.some((key) => key.active)) {
      await repository.add(purpose, await makeKey(cipher));
      stored = await repository.load(purpose);
    }
    const active = stored.find((key) => key.active);
    if (active === undefined) throw new Error(`Cannot sign: there is no active key for '${purpose}'`);
    const publicKeys = new Map<string, CryptoKey>();
    for (const key of stored) publicKeys.set(key.kid, await toCryptoKey(key.publicJwk));
    return {
      loadedAt: now(),
      active: { kid: active.kid, privateKey: await decryptKey(cipher, active) },
      publicKeys,
      jwks: { keys: stored.map(({ kid, publicJwk }) => ({ ...publicJwk, kid, alg: SIGNING_ALGORITHM, use: 'sig' })) },
    };
  }
}

async function makeKey(cipher: Cipher): Promise<Omit<StoredSigningKey, 'active'>> {
  const { publicKey, privateKey } = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true });
  const { x = '', y = '' } = await exportJWK(publicKey);
  const publicJwk = { kty: 'EC', crv: 'P-256', x, y } as const;
  const privateText = new TextEncoder().encode(JSON.stringify(await exportJWK(privateKey)));
  return {
    kid: await calculateJwkThumbprint(publicJwk),
    publicJwk,
    privateKeyEncrypted: await cipher.encrypt(privateText),
  };
}

async function decryptKey(cipher: Cipher, key: StoredSigningKey): Promise<CryptoKey> {
  const text = new TextDecoder().decode(await cipher.decrypt(key.privateKeyEncrypted));
  return toCryptoKey(JSON.parse(text) as Record<string, string>);
}

async function toCryptoKey(jwk: Record<string, string | undefined>): Promise<CryptoKey> {
  const key = await importJWK(jwk, SIGNING_ALGORITHM);
  if (key instanceof Uint8Array) throw new Error('Cannot use a symmetric key for signing');
  return key;
}
