import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { addressKey } from '../../services/address-key.ts';
import type { RatePolicy, RateVerdict } from '../../services/gcra.ts';
import { principalKey } from '../../services/principal.ts';
import type { RateLimiter } from '../../services/rate-limiter.ts';
import type { AppEnv } from '../context.ts';

export interface RateLimitOptions {
  perS: number;
  burst: number;
  /** Header in which the platform, or a trusted proxy that overwrites it, gives the address of who asks. */
  addressHeader: string;
}

/** Names of policies as people know what is meant. */
const SHOWN: Partial<Record<string, string>> = { principal: 'account' };

/** What was found out about a request's rate. */
export interface RateTaken {
  policy: RatePolicy;
  verdict: RateVerdict;
}

/** Limits by address: before authentication, so that guessing credentials is limited too. */
export function limitAddress(limiter: RateLimiter, { perS, burst, addressHeader }: RateLimitOptions) {
  const policy = { name: 'address', perS, burst };
  return createMiddleware<AppEnv>(async (c, next) => {
    c.set('rates', []);
    const key = addressKey(c.req.header(addressHeader));
    if (key !== null) await take(c, limiter, policy, key);
    await next();
  });
}

/** Limits by who the credential says it is: all keys of a user together, wherever they are used. */
export function limitPrincipal(limiter: RateLimiter, { perS, burst }: Omit<RateLimitOptions, 'addressHeader'>) {
  const policy = { name: 'principal', perS, burst };
  return createMiddleware<AppEnv>(async (c, next) => {
    await take(c, limiter, policy, principalKey(c.get('caller').principal));
    await next();
  });
}

/**
 * `RateLimit-Policy` and `RateLimit` on every answer. A bucket refills evenly; as a window it is the time in which it
 * fills, and `t` says when it will be full.
 *
 * @see draft-ietf-httpapi-ratelimit-headers (lists of items, as since draft 08)
 */
export const tellRates = createMiddleware<AppEnv>(async (c, next) => {
  await next();
  const rates = c.get('rates') as RateTaken[] | undefined;
  if (rates === undefined || rates.length === 0) return;
  c.header(
    'ratelimit-policy',
    rates
      .map(({ policy: { name, perS, burst } }) => `"${name}";q=${burst};w=${Math.max(1, Math.ceil(burst / perS))}`)
      .join(', '),
  );
  c.header(
    'ratelimit',
    rates
      .map(({ policy, verdict }) => `"${policy.name}";r=${verdict.remaining};t=${Math.ceil(verdict.fullInMs / 1000)}`)
      .join(', '),
  );
});

async function take(c: Context<AppEnv>, limiter: RateLimiter, policy: RatePolicy, key: string): Promise<void> {
  const verdict = await limiter.take(key, policy);
  if (verdict === null) return;
  c.get('rates').push({ policy, verdict });
  if (!verdict.allowed) {
    throw new TunnoxError(
      'rate_limited',
      `More than ${policy.perS} requests a second come from this ${SHOWN[policy.name] ?? policy.name}`,
      {
        retryAfterS: Math.max(1, Math.ceil(verdict.retryAfterMs / 1000)),
      },
    );
  }
}
