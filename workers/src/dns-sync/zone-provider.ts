import type { ActualRecord } from '@tunnox/dns-plan/plan';
import type { RecordType } from '@tunnox/dns-plan/record-type';

/** One change of a zone. */
export type ZoneChange =
  | { kind: 'create'; record: WishedRecord }
  | { kind: 'update'; actual: ActualRecord; record: WishedRecord }
  | { kind: 'delete'; actual: ActualRecord };

export interface WishedRecord {
  type: RecordType;
  /** Whole name. */
  name: string;
  /** Canonical. */
  value: string;
  /** Seconds; 1: the provider's choice. */
  ttl: number;
  proxied: boolean | null;
  /** Comment that begins with the ownership mark. */
  comment: string;
}

/** What a batch has left behind, in the order of its changes: the provider's ids; null for deletes. */
export type BatchResult = (string | null)[];

/**
 * A zone at a DNS provider. Every call ends within its time-out, counts on the credential's budget, and throws
 * {@link ProviderError}.
 */
export interface ZoneProvider {
  /** Changes that one batch may have. */
  readonly batchMax: number;
  /** All records of the zone; values of known types are canonical. */
  list(signal: AbortSignal): Promise<ActualRecord[]>;
  /** The records of some names, a call for each name. */
  find(names: readonly string[], signal: AbortSignal): Promise<ActualRecord[]>;
  /** Carries changes out, all or none. */
  applyBatch(changes: readonly ZoneChange[], signal: AbortSignal): Promise<BatchResult>;
}

/** A kind of provider; a further one is one file and one entry in providers/drivers.ts. */
export interface ProviderDriver {
  /** Where its API is unless the credential says so; null: the credential must say. */
  readonly defaultEndpoint: string | null;
  /** Calls in five minutes that a credential may make. */
  readonly callsMax: number;
  /**
   * @param id The id that it is said to have; null: looked up by its name.
   * @returns The provider's id of the zone.
   * @throws {ProviderError} `zone_missing`, `unauthorized`, …
   */
  findZone(access: ProviderAccess, zone: { domain: string; id: string | null }, signal: AbortSignal): Promise<string>;
  open(access: ProviderAccess, zone: { domain: string; providerZoneId: string; tag: string }): ZoneProvider;
}

export interface ProviderAccess {
  token: string;
  /** Without a slash at its end. */
  endpoint: string;
  /** `fetch` that counts on the budget, knows the time-out, follows no redirect. */
  fetch: (url: string, init: ProviderRequest) => Promise<Response>;
}

export interface ProviderRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  headers: Record<string, string>;
  body?: string;
  signal: AbortSignal;
}

/**
 * Why the provider did not do it.
 *
 * - `unreachable`: no answer, a broken one, 5xx. What was asked may be done all the same: the next list tells.
 * - `rate_limited`: it, or our own budget, says to wait.
 * - `unauthorized`: the token is not accepted, or may not do this.
 * - `zone_missing`: it has no such zone for this token.
 * - `rejected`: it does not take this batch; a smaller one may pass.
 */
export type ProviderErrorKind = 'unreachable' | 'rate_limited' | 'unauthorized' | 'zone_missing' | 'rejected';

export class ProviderError extends Error {
  readonly kind: ProviderErrorKind;
  /** Seconds to wait; null: it does not say. */
  readonly retryAfterS: number | null;

  /** @param message A plain sentence for people; no token, no header. */
  constructor(kind: ProviderErrorKind, message: string, options: { retryAfterS?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ProviderError';
    this.kind = kind;
    this.retryAfterS = options.retryAfterS ?? null;
  }
}
