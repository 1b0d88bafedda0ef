/** Ids of anonymous clients are random; those of managed ones come from a sequence that starts at 600 000 000. */
export const ANONYMOUS_CLIENT_ID_MIN = 200_000_000;
export const ANONYMOUS_CLIENT_ID_MAX = 299_999_999;

/** Relays are `node-001` … `node-1000`. */
export const NODE_NUMBER_MAX = 1000;

/** Number 1 → `node-001`, number 1000 → `node-1000`. */
export function nodeIdOf(number: number): string {
  if (!Number.isInteger(number) || number < 1 || number > NODE_NUMBER_MAX) {
    throw new RangeError(`Cannot name a node: number must be 1 to ${NODE_NUMBER_MAX}, it is ${number}`);
  }
  return `node-${String(number).padStart(3, '0')}`;
}
