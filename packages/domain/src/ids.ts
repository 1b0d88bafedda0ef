/** Managed clients have ids from a sequence, anonymous ones random ids, in ranges that do not touch. */
export const ANONYMOUS_CLIENT_ID_MIN = 200_000_000;
export const ANONYMOUS_CLIENT_ID_MAX = 299_999_999;
export const MANAGED_CLIENT_ID_MIN = 600_000_000;
export const MANAGED_CLIENT_ID_MAX = 999_999_999;
export const USER_ID_MIN = 100_000_001;
export const MAPPING_ID_MIN = 1001;

/** Relays are `node-001` … `node-1000`. */
export const NODE_NUMBER_MAX = 1000;

export function isAnonymousClientId(id: number): boolean {
  return id >= ANONYMOUS_CLIENT_ID_MIN && id <= ANONYMOUS_CLIENT_ID_MAX;
}

export function isManagedClientId(id: number): boolean {
  return id >= MANAGED_CLIENT_ID_MIN && id <= MANAGED_CLIENT_ID_MAX;
}

/** Number 1 → `node-001`, number 1000 → `node-1000`. */
export function nodeIdOf(number: number): string {
  if (!Number.isInteger(number) || number < 1 || number > NODE_NUMBER_MAX) {
    throw new RangeError(`Cannot name a node: number must be 1 to ${NODE_NUMBER_MAX}, it is ${number}`);
  }
  return `node-${String(number).padStart(3, '0')}`;
}
