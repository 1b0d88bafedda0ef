import type { SessionKey } from './live-ports.ts';

export interface OpenSession extends SessionKey {
  /** Milliseconds since 1970. */
  attachedAtMs: number;
}

/** What the sweep asks and says about sessions. */
export interface SessionRepository {
  /** Ends up to `limit` sessions whose relay's run is over. @returns How many. */
  endDead(limit: number): Promise<number>;
  /**
   * Some of the living relays, at random, first those that report another number of agents than there are open sessions.
   * `clients`: who has an open session there, as `clientSum()` says it.
   */
  runsToCheck(limit: number): Promise<{ node_id: string; incarnation: string; clients: string }[]>;
  /** Open sessions of a relay's run. */
  openOf(nodeId: string, incarnation: string): Promise<OpenSession[]>;
}
