import { lookup, type LookupAddress } from 'node:dns';
import type { Clock } from '../clock.ts';

export type Lookup = (hostname: string, callback: (error: Error | null, addresses: LookupAddress[]) => void) => void;

/** Asks the system's resolver for all addresses. */
export const systemLookup: Lookup = (hostname, callback) => lookup(hostname, { all: true }, callback);

/** Long enough that a burst of visitors is one look-up, short enough that nobody notices. */
const TTL_MS = 1_000;
const NAMES_MAX = 256;

/**
 * Makes look-ups of one name at the same moment one, and remembers their answer for a second: the system's resolver
 * has four threads for the whole process, which a burst for a slow name would hold. Failures are not remembered.
 */
export function cachedLookup(resolve: Lookup, clock: Clock): Lookup {
  const known = new Map<string, { untilMs: number; addresses: LookupAddress[] }>();
  const asked = new Map<string, Parameters<Lookup>[1][]>();
  return (hostname, callback) => {
    const answer = known.get(hostname);
    if (answer !== undefined && clock.now() < answer.untilMs) return callback(null, answer.addresses);
    const waiting = asked.get(hostname);
    if (waiting !== undefined) return void waiting.push(callback);
    const callbacks = [callback];
    asked.set(hostname, callbacks);
    resolve(hostname, (error, addresses) => {
      asked.delete(hostname);
      known.delete(hostname);
      if (error === null) {
        // The oldest goes first: insertion order.
        for (const oldest of known.keys()) {
          if (known.size < NAMES_MAX) break;
          known.delete(oldest);
        }
        known.set(hostname, { untilMs: clock.now() + TTL_MS, addresses });
      }
      for (const each of callbacks) each(error, addresses);
    });
  };
}
