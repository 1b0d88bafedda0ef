import type { JoinToken, Node, NodesQuery } from '@tunnox/domain/api/nodes';
import type { AuditEntry } from './audit.ts';

export interface NodeRepository {
  list(filter: NodesQuery): Promise<Node[]>;
  find(nodeId: string): Promise<Node | null>;
  /** Notes that a relay is being drained. @returns false when it is offline. */
  noteDrain(nodeId: string, audit: AuditEntry): Promise<boolean>;
  /** Removes an offline relay. @returns false when it is not offline (any more). */
  remove(nodeId: string, audit: AuditEntry): Promise<boolean>;
}

export interface NewJoinToken {
  name: string;
  hash: string;
  relayGroup: string;
  uses: number | null;
  expiresInS: number | null;
}

export interface JoinTokenRepository {
  create(token: NewJoinToken, audit: AuditEntry): Promise<JoinToken>;
  /** Those that may still be used. */
  list(): Promise<JoinToken[]>;
  revoke(tokenId: number, audit: AuditEntry): Promise<boolean>;
}

/** What became of a request that bears an `Idempotency-Key`. */
export type Repetition =
  | { kind: 'first' }
  | { kind: 'running' }
  /** The key was used for another request. */
  | { kind: 'other' }
  | { kind: 'done'; status: number; body: string };

export interface IdempotencyRepository {
  /** Takes the key, or tells what became of it. */
  begin(principal: string, key: string, requestHash: string): Promise<Repetition>;
  finish(principal: string, key: string, status: number, body: string): Promise<void>;
  /** The request failed in a way that a repeat may mend. */
  forget(principal: string, key: string): Promise<void>;
}

export interface HealthRepository {
  /** @throws {TunnoxError} `unavailable` when Postgres does not answer. */
  check(): Promise<void>;
}

/** Structured log lines. Nothing secret may be in `fields`. */
export interface Log {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}
