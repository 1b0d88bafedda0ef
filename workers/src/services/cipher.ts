import type { Cipher } from './ports.ts';

const IV_BYTES = 12;
const VERSION = 'v1';

/**
 * AES-256-GCM; the text is `v1.` and base64 of the 12-byte IV with what follows it. `context` is authenticated with
 * it, so that a text that was made for one purpose cannot be put in the place of another.
 *
 * @param key 32 bytes.
 */
export function createCipher(key: Uint8Array, context: string): Cipher {
  const imported = crypto.subtle.importKey('raw', Uint8Array.from(key), 'AES-GCM', false, ['encrypt', 'decrypt']);
  const additionalData = new TextEncoder().encode(context);
  return {
    async encrypt(plain) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, await imported, copy(plain));
      const text = new Uint8Array(IV_BYTES + sealed.byteLength);
      text.set(iv);
      text.set(new Uint8Array(sealed), IV_BYTES);
      return `${VERSION}.${toBase64(text)}`;
    },
    async decrypt(text) {
      const [version, encoded] = text.split('.');
      if (version !== VERSION || encoded === undefined) throw new Error('Cannot decrypt: unknown format');
      const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
      const iv = bytes.subarray(0, IV_BYTES);
      const sealed = bytes.subarray(IV_BYTES);
      return new Uint8Array(
        await crypto.subtle.decrypt({ name: 'AES-GCM', iv: copy(iv), additionalData }, await imported, copy(sealed)),
      );
    },
  };
}

/** Web Crypto's types ask for bytes that are not in shared memory. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes);
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
