import type { SigningKey } from '@tunnox/domain/api/signing-keys';
import type { EcPublicJwk } from '@tunnox/domain/relay-api';
import type { AuditEntry } from './audit.ts';

export type KeyPurpose = SigningKey['purpose'];
export type SigningAlgorithm = SigningKey['algorithm'];

export interface NewSigningKey {
  kid: string;
  algorithm: SigningAlgorithm;
  /** null: HS256, whose one key is secret. */
  publicJwk: EcPublicJwk | { kty: 'RSA'; n: string; e: string } | null;
  /** Encrypted private (or secret) JWK. */
  privateKeyEncrypted: string;
}

export interface StoredSigningKey extends NewSigningKey {
  /** The one that was made last; the others are retired and verify until their end. */
  active: boolean;
  /** Milliseconds since 1970. */
  createdAtMs: number;
}

/** How a key takes the place of another. */
export interface KeyReplacement {
  /** So long the one before still verifies. */
  retiredForS: number;
  /** Nothing is done when so many of the purpose are there already, of those not older than `countedForS` (null: any). */
  keysMax: number;
  countedForS: number | null;
  audit: AuditEntry;
}

export interface SigningKeyRepository {
  /** Keys that sign or still verify, the newest first. */
  load(purpose: KeyPurpose): Promise<StoredSigningKey[]>;
  /** Those of all purposes, as operators see them. */
  list(): Promise<SigningKey[]>;
  /** Adds an active key unless there is one. */
  add(purpose: KeyPurpose, key: NewSigningKey): Promise<void>;
  /** Retires the active key and makes this one active. @returns null: too many, or somebody else was faster. */
  replace(purpose: KeyPurpose, key: NewSigningKey, replacement: KeyReplacement): Promise<SigningKey | null>;
  /** Removes retired keys whose time has ended. */
  removeEnded(): Promise<void>;
}
