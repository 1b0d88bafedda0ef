import type { ProviderKind } from '@tunnox/domain/api/dns';
import { DRIVERS } from './providers/drivers.ts';
import { type ProviderAccess, ProviderError, type ProviderRequest } from './zone-provider.ts';
import type { ZoneOpener } from './zone-run-ports.ts';

/** What a credential opens. */
export interface OpenCredential {
  credentialId: number;
  provider: ProviderKind;
  token: string;
  /** null: the provider's own. */
  endpoint: string | null;
  /** A tenant's: its endpoint must not lead into the operators' network. */
  isTenant: boolean;
}

export interface CredentialStore {
  /** @throws {ProviderError} `unauthorized` when the token cannot be decrypted */
  load(credentialId: number): Promise<OpenCredential>;
  /**
   * Counts a call on the credential's budget, over all zones and control planes.
   *
   * @returns Seconds to wait; 0: the call may be made.
   */
  takeCall(credentialId: number, callsMax: number): Promise<number>;
  /** The provider has asked all callers with this credential to wait. */
  block(credentialId: number, seconds: number): Promise<void>;
}

export interface ZoneOpenerDeps {
  credentials: CredentialStore;
  fetch: typeof fetch;
  /** In place of a kind's own endpoint. */
  endpoints: Partial<Record<ProviderKind, string>>;
  /** @throws {ProviderError} when a tenant's endpoint leads to a private address */
  checkEndpoint: (endpoint: URL) => Promise<void>;
}

/** Fail closed: a provider that does not answer within it is asked again by a later run. */
const CALL_TIMEOUT_MS = 10_000;

/** Opens zones with their credentials: every call is counted, timed and goes nowhere else. */
export function createZoneOpener(deps: ZoneOpenerDeps): ZoneOpener {
  return {
    async open(zone, signal) {
      const { access, driver, calls } = await openAccess(deps, zone.credentialId);
      const providerZoneId =
        zone.providerZoneId ?? (await driver.findZone(access, { domain: zone.domain, id: null }, signal));
      const provider = driver.open(access, { domain: zone.domain, providerZoneId, tag: zone.tag });
      return { provider, providerZoneId, calls };
    },
  };
}

/** A provider's API with a credential. `calls()` tells how many were made by it. */
export async function openAccess(deps: ZoneOpenerDeps, credentialId: number) {
  const credential = await deps.credentials.load(credentialId);
  const driver = DRIVERS[credential.provider];
  const endpoint = credential.endpoint ?? deps.endpoints[credential.provider] ?? driver.defaultEndpoint;
  if (endpoint === null)
    throw new ProviderError('unauthorized', `A credential of ${credential.provider} needs an endpoint`);
  if (credential.isTenant && credential.endpoint !== null) await deps.checkEndpoint(new URL(credential.endpoint));
  let calls = 0;
  const access: ProviderAccess = {
    token: credential.token,
    endpoint: endpoint.replace(/\/+$/, ''),
    async fetch(url, request) {
      const waitS = await deps.credentials.takeCall(credentialId, driver.callsMax);
      if (waitS > 0) {
        throw new ProviderError('rate_limited', `The calls of this credential are used up for ${waitS} s`, {
          retryAfterS: waitS,
        });
      }
      calls += 1;
      const response = await send(deps.fetch, url, request);
      if (response.status === 429) {
        const asked = Number(response.headers.get('retry-after'));
        await deps.credentials.block(credentialId, Number.isInteger(asked) && asked > 0 ? Math.min(asked, 3600) : 300);
      }
      return response;
    },
  };
  return { access, driver, calls: () => calls };
}

async function send(fetcher: typeof fetch, url: string, request: ProviderRequest): Promise<Response> {
  const timeout = AbortSignal.timeout(CALL_TIMEOUT_MS);
  try {
    const signal = AbortSignal.any([timeout, request.signal]);
    // A redirect could lead anywhere, the token with it.
    const response = await fetcher(url, { ...request, signal, redirect: 'manual' });
    if (response.status < 300 || response.status > 399) return response;
    await response.body?.cancel();
    throw new ProviderError(
      'unreachable',
      'The provider answers with a redirect, which is not followed: check the endpoint',
    );
  } catch (cause) {
    if (cause instanceof ProviderError) throw cause;
    const { host } = new URL(url);
    const why = timeout.aborted ? `does not answer within ${CALL_TIMEOUT_MS / 1000} s` : 'cannot be reached';
    throw new ProviderError('unreachable', `${host} ${why}`, { cause });
  }
}
