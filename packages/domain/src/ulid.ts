/** Crockford's base 32: no I, L, O, U. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;

/**
 * Makes a ULID: 26 characters that sort by time.
 *
 * @param timeMs Milliseconds since 1970.
 * @param random At least 16 random bytes; five bits of each are used.
 * @see https://github.com/ulid/spec
 */
export function makeUlid(timeMs: number, random: Uint8Array): string {
  if (!Number.isSafeInteger(timeMs) || timeMs < 0 || timeMs >= 2 ** 48) {
    throw new RangeError(`Cannot make a ULID: the time must be 0 to 2^48-1 ms, it is ${timeMs}`);
  }
  if (random.length < RANDOM_LENGTH) {
    throw new RangeError(`Cannot make a ULID: 16 random bytes are needed, there are ${random.length}`);
  }
  let time = '';
  for (let rest = timeMs, index = 0; index < TIME_LENGTH; index += 1) {
    time = ALPHABET.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let tail = '';
  for (let index = 0; index < RANDOM_LENGTH; index += 1) tail += ALPHABET.charAt((random[index] ?? 0) & 31);
  return time + tail;
}

/** Time in a ULID, milliseconds since 1970. */
export function ulidTimeMs(ulid: string): number {
  let time = 0;
  for (const character of ulid.slice(0, TIME_LENGTH)) time = time * 32 + ALPHABET.indexOf(character);
  return time;
}
