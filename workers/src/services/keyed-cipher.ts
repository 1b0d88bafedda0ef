/** Encrypts what is stored under the first of several keys; what an earlier one has encrypted can still be read. */
export interface KeyedCipher {
  encrypt(plain: Uint8Array): Promise<string>;
  /** @throws {Error} for a text of a key that is not known, and for one that was changed */
  decrypt(text: string): Promise<Uint8Array>;
  /** Whether the text is of the key that encrypts now. */
  isCurrent(text: string): Promise<boolean>;
}

const VERSION = 'k1';
const IV_BYTES = 12;
/** Enough to tell keys of one installation apart, and nothing of them. */
const KEY_ID_HEX = 8;

interface Key {
  id: string;
  key: Awaited<ReturnType<typeof crypto.subtle.importKey>>;
}

/**
 * AES-256-GCM; a text is `k1.{key id}.{base64 of the 12-byte IV and what follows it}`. `context` is authenticated with
 * it, so that a text that was made for one purpose cannot be put in the place of another.
 *
 * @param keys 32 bytes each; the first encrypts.
 */
export function createKeyedCipher(keys: readonly [Uint8Array, ...Uint8Array[]], context: string): KeyedCipher {
  const imported = Promise.all(keys.map(importKey));
  const additionalData = new TextEncoder().encode(context);
  const current = async () => (await imported)[0] as Key;
  return {
    async encrypt(plain) {
      const { id, key } = await current();
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, key, Uint8Array.from(plain));
      return `${VERSION}.${id}.${Buffer.concat([iv, new Uint8Array(sealed)]).toString('base64')}`;
    },
    async decrypt(text) {
      const [version, id, encoded] = text.split('.');
      if (version !== VERSION || encoded === undefined) throw new Error('Cannot decrypt: unknown format');
      const found = (await imported).find((one) => one.id === id);
      if (found === undefined) throw new Error(`Cannot decrypt: key ${id ?? ''} is not among the keys of this server`);
      const bytes = Uint8Array.from(Buffer.from(encoded, 'base64'));
      const iv = bytes.slice(0, IV_BYTES);
      const plain = await crypto.subtle.decrypt(
        { name: 'AES-GCM', iv, additionalData },
        found.key,
        bytes.slice(IV_BYTES),
      );
      return new Uint8Array(plain);
    },
    async isCurrent(text) {
      return text.startsWith(`${VERSION}.${(await current()).id}.`);
    },
  };
}

async function importKey(bytes: Uint8Array): Promise<Key> {
  const raw = Uint8Array.from(bytes);
  const digest = await crypto.subtle.digest('SHA-256', raw);
  const id = Buffer.from(digest).toString('hex').slice(0, KEY_ID_HEX);
  return { id, key: await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt']) };
}
