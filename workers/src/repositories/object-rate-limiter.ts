import type { RatePolicy, RateVerdict } from '../services/gcra.ts';
import type { Log } from '../services/node-ports.ts';
import type { RateLimiter } from '../services/rate-limiter.ts';

/**
 * Longer than a far object takes. Then the request passes: a limiter that is away must not take the whole API with it,
 * and what it protects (hashes of 256 bits, the login's own cost) does not fall in such a time.
 */
const WAIT_MS = 250;

/** An object takes about 500 calls a second; these bear a flood, and are few enough to be awake. */
const SHARDS = 32;

/** Refused keys that this isolate remembers, so that a flood does not reach the objects. */
const REFUSED_MAX = 1000;

/** The calls of one shard. */
export interface RateLimiterShard {
  take(key: string, policy: RatePolicy, cost: number): Promise<RateVerdict>;
}

export interface RateLimiterDeps {
  shard: (index: number) => RateLimiterShard;
  log: Log;
  now: () => number;
}

/** The rate limiter over a fixed number of Durable Objects; a key is always counted by the same one. */
export function createRateLimiter({ shard, log, now }: RateLimiterDeps): RateLimiter {
  /** A bucket that refuses cannot allow before its time, whoever asks: so this is exact. */
  const refused = new Map<string, { untilMs: number; fullAtMs: number }>();

  return {
    async take(key, policy, cost = 1) {
      const name = `${policy.name} ${key}`;
      const known = refused.get(name);
      if (known !== undefined && cost === 1) {
        const retryAfterMs = known.untilMs - now();
        if (retryAfterMs > 0) {
          return { allowed: false, remaining: 0, retryAfterMs, fullInMs: known.fullAtMs - now() };
        }
        refused.delete(name);
      }
      const verdict = await ask(() => shard(shardOf(name)).take(key, policy, cost), log);
      if (verdict !== null && !verdict.allowed && cost === 1) {
        if (refused.size >= REFUSED_MAX) refused.clear();
        refused.set(name, { untilMs: now() + verdict.retryAfterMs, fullAtMs: now() + verdict.fullInMs });
      }
      return verdict;
    },
  };
}

async function ask(call: () => Promise<RateVerdict>, log: Log): Promise<RateVerdict | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`No answer within ${WAIT_MS} ms`)), WAIT_MS);
    });
    return await Promise.race([call(), late]);
  } catch (error) {
    log.warn({ err: String(error) }, 'The rate limiter does not answer; the request passes');
    return null;
  } finally {
    clearTimeout(timer);
  }
}

/** FNV-1a. */
function shardOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % SHARDS;
}
