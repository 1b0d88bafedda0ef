/** A client that is attached, as its user's ledger has to know it. */
export interface LedgerEntry {
  client_id: number;
  node_id: string;
  incarnation: string;
  /** Of its presence: what is said of an earlier one is late. */
  order: number;
  config_version: number;
  limits: LedgerLimits;
  /** Its enabled bindings, the oldest first. */
  bindings: string[];
}

/** Limits of a user over the whole cluster; null = unlimited. */
export interface LedgerLimits {
  total_bandwidth_bytes_per_s: number | null;
  max_active_mappings: number | null;
}

/**
 * Longer than a far object takes. Then it goes on without: a limit that is not shared out for a moment harms nobody, an
 * agent or a change that hangs harms its user. What comes later is taken then.
 */
export const LEDGER_WAIT_MS = 1000;

/** What a ledger has decided about one client. */
export interface LedgerShare {
  client_id: number;
  /** Rises with each decision, follows the clock. */
  version: number;
  /** Limits for which it was decided; it counts with these only. */
  limits: LedgerLimits;
  /** Of the node at which the client is attached, bytes a second. */
  bandwidth_bytes_per_s: number | null;
  waiting_bindings: string[];
}

/** Owners of what a user's limits over the whole cluster come to: one for each user that has such limits. */
export interface LedgerOwners {
  /** Tells who is attached. @returns A share for each. */
  admit(userId: number, entries: LedgerEntry[]): Promise<LedgerShare[]>;
  /** Tells how fast the user's tunnels at a node have been. */
  used(userId: number, nodeId: string, bytesPerS: number): Promise<void>;
  /** Bindings of the user that are not active because others have the places. */
  waiting(userId: number): Promise<string[]>;
}
