import type { ClaimClient, ClaimedClient } from '@tunnox/domain/api/clients';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { auditOf } from './audit.ts';
import type { ChangeTeller } from './change-teller.ts';
import type { ClaimRepository } from './claim-ports.ts';
import { clientDisabled } from './client-disabled.ts';
import { newAuthCode, overQuota } from './client-service.ts';
import type { Handovers } from './handovers.ts';
import type { ClientStanding, PolicyRepository } from './ports.ts';
import { type Caller, chooseOwner, notFound, refuseClients } from './principal.ts';
import { sha256Hex } from './random.ts';
import { type RateLimiter, WRONG_CLAIM_RATE } from './rate-limiter.ts';
import { sameSecret } from './secret.ts';

export interface ClaimServiceDeps {
  claims: ClaimRepository;
  handovers: Handovers;
  policies: Pick<PolicyRepository, 'loadStandings'>;
  rateLimiter: RateLimiter;
  teller: ChangeTeller;
}

/** Anonymous clients become their finders' own: whoever has the code may have the client. */
export class ClaimService {
  readonly #deps: ClaimServiceDeps;

  constructor(deps: ClaimServiceDeps) {
    this.#deps = deps;
  }

  /**
   * @throws {TunnoxError} `not_found` for an unknown client and for a wrong code alike, `client_claimed`,
   *   `client_disabled`, `quota_exceeded`, `rate_limited`, `forbidden`
   */
  async claim(caller: Caller, body: ClaimClient): Promise<ClaimedClient> {
    refuseClients(caller);
    const { userId, namespaceId } = chooseOwner(caller, body);
    const { anonymous_client_id: anonymousId, auth_code: authCode } = body;
    await this.#requireTries(userId);
    const authCodeHash = await sha256Hex(authCode);
    const standing = await this.#provenStanding(anonymousId, authCodeHash);
    if (standing === null) {
      await this.#deps.rateLimiter.take(keyOf(userId), WRONG_CLAIM_RATE);
      throw unknownClaim();
    }
    refuseUnclaimable(standing);
    const newCode = newAuthCode();
    const outcome = await this.#deps.claims.claim(
      {
        ...{ anonymousId, authCodeHash, userId, namespaceId },
        name: body.new_client_name ?? null,
        newAuthCodeHash: await sha256Hex(newCode),
        handoverEncrypted: await this.#deps.handovers.seal(anonymousId, newCode),
      },
      {
        old: auditOf(caller, 'client.claim', { before: { state: 'active' }, after: { state: 'claimed' } }),
        made: auditOf(caller, 'client.create', { after: { namespace_id: namespaceId, claimed_from: anonymousId } }),
      },
    );
    switch (outcome.outcome) {
      case 'no_owner':
        throw notFound(namespaceId === null ? 'user' : 'namespace', namespaceId ?? userId);
      case 'over_quota':
        throw overQuota(outcome.what, outcome);
      case 'changed': {
        // Somebody was faster, or its time has ended this second.
        const now = await this.#provenStanding(anonymousId, authCodeHash);
        if (now !== null) refuseUnclaimable(now);
        throw unknownClaim();
      }
      case 'done':
        await this.#deps.teller.onItsWay(outcome.outboxIds);
        return {
          new_client_id: outcome.clientId,
          new_auth_code: newCode,
          message:
            `Client ${anonymousId} is client ${outcome.clientId} now, with everything that it serves. ` +
            'Its agent takes the new identity by itself: at once if it is running, otherwise when it starts next.',
        };
    }
  }

  /** Only wrong codes count: a house may claim as many clients as it has. */
  async #requireTries(userId: number): Promise<void> {
    const verdict = await this.#deps.rateLimiter.take(keyOf(userId), WRONG_CLAIM_RATE, 0);
    if (verdict === null || verdict.remaining > 0) return;
    throw new TunnoxError('rate_limited', 'Too many claims with a wrong client id or code; try again later', {
      retryAfterS: Math.ceil(1 / WRONG_CLAIM_RATE.perS),
    });
  }

  /** null: there is no such anonymous client, or the code is not its. The two take the same time. */
  async #provenStanding(clientId: number, authCodeHash: string): Promise<ClientStanding | null> {
    const standing = (await this.#deps.policies.loadStandings([clientId])).get(clientId);
    const expected = standing?.type === 'anonymous' ? standing.authCodeHash : NO_HASH;
    const matches = sameSecret(authCodeHash, expected);
    return standing !== undefined && matches ? standing : null;
  }
}

/** Of no code. */
const NO_HASH = '0'.repeat(64);

function keyOf(userId: number): string {
  return `user:${userId}`;
}

function unknownClaim(): TunnoxError {
  return new TunnoxError(
    'not_found',
    'There is no anonymous client with this id and this code; its 24 hours may be over',
  );
}

function refuseUnclaimable({ clientId, state, upgradedTo, suspended }: ClientStanding): void {
  switch (state) {
    case 'active':
      return;
    case 'claimed':
      throw new TunnoxError('client_claimed', `Client ${clientId} was claimed already`, {
        details: { new_client_id: upgradedTo },
      });
    case 'disabled':
      throw clientDisabled(clientId, suspended);
  }
}
