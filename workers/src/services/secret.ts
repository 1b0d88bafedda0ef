import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * Whether two secrets (or hashes, tokens, codes, keys) are the same. How long it takes says nothing of where they differ
 * or how long they are. The only place in the Worker where such a comparison is made; a test sees to that.
 */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
