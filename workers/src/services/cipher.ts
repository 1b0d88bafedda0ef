import type { Cipher } from './ports.ts';

const IV_BYTES = 12;
const VERSION = 'v1';

/** The same type in Workers and in Node, which name it differently. */
type Key = Parameters<typeof crypto.subtle.decrypt>[1];

/** A cipher that tells texts of earlier keys apart. */
export interface RenewingCipher extends Cipher {
  /** Whether the text is of the key that encrypts now. */
  isCurrent(text: string): Promise<boolean>;
}

/**
 * AES-256-GCM; the text is `v1.` and base64 of the 12-byte IV with what follows it. `context` is authenticated with
 * it, so that a text that was made for one purpose cannot be put in the place of another.
 *
 * @param keys 32 bytes each: the first encrypts, what an earlier one has encrypted can still be read.
 */
export function createCipher(
  keys: Uint8Array | readonly [Uint8Array, ...Uint8Array[]],
  context: string,
): RenewingCipher {
  const imported = (keys instanceof Uint8Array ? [keys] : keys).map((key) =>
    crypto.subtle.importKey('raw', Uint8Array.from(key), 'AES-GCM', false, ['encrypt', 'decrypt']),
  ) as [Promise<Key>, ...Promise<Key>[]];
  const additionalData = new TextEncoder().encode(context);

  /** @throws when the text is not of this key, or was changed */
  const open = async (key: Promise<Key>, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> => {
    const [iv, sealed] = [bytes.slice(0, IV_BYTES), bytes.slice(IV_BYTES)];
    return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData }, await key, sealed));
  };

  return {
    async encrypt(plain) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const algorithm = { name: 'AES-GCM', iv, additionalData };
      const sealed = await crypto.subtle.encrypt(algorithm, await imported[0], Uint8Array.from(plain));
      const text = new Uint8Array(IV_BYTES + sealed.byteLength);
      text.set(iv);
      text.set(new Uint8Array(sealed), IV_BYTES);
      return `${VERSION}.${toBase64(text)}`;
    },

    async decrypt(text) {
      const bytes = bytesOf(text);
      let failure: unknown;
      for (const key of imported) {
        try {
          return await open(key, bytes);
        } catch (error) {
          failure = error;
        }
      }
      throw failure;
    },

    async isCurrent(text) {
      try {
        await open(imported[0], bytesOf(text));
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** Web Crypto's types ask for bytes that are not in shared memory. */
function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const [version, encoded] = text.split('.');
  if (version !== VERSION || encoded === undefined) throw new Error('Cannot decrypt: unknown format');
  return Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
