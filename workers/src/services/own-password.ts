import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { verifyPassword } from './password.ts';
import { type Caller, invalid } from './principal.ts';
import { ACCOUNT_LOGIN_RATE, type RateLimiter } from './rate-limiter.ts';
import type { UserRepository } from './user-ports.ts';

export interface OwnPasswordDeps {
  users: Pick<UserRepository, 'passwordHash'>;
  rateLimiter: RateLimiter;
}

/**
 * Who changes its password proves that it knows it: a credential that was left lying must not be enough to take an
 * account over. Operators need no proof.
 *
 * @throws {TunnoxError} `invalid`, `rate_limited`
 */
export async function requireOwnPassword(
  { users, rateLimiter }: OwnPasswordDeps,
  caller: Caller,
  userId: number,
  current: string | undefined,
): Promise<void> {
  if (caller.principal.role === 'operator') return;
  if (current === undefined) throw invalid('/current_password', 'must be given together with a new password');
  // Not the key of log-ins: strangers who try those do not keep a user from changing its password.
  const verdict = await rateLimiter.take(`password:${userId}`, ACCOUNT_LOGIN_RATE);
  if (verdict?.allowed === false) {
    throw new TunnoxError('rate_limited', 'Too many tries with the password of this account', {
      retryAfterS: Math.max(1, Math.ceil(verdict.retryAfterMs / 1000)),
    });
  }
  const hash = await users.passwordHash(userId);
  if (hash === null) throw invalid('/current_password', 'is not possible: there is none yet; an operator can set one');
  if ((await verifyPassword(current, hash)) === 'wrong') throw invalid('/current_password', 'is wrong');
}
