import type { SessionKey } from './live-ports.ts';

export interface OpenSession extends SessionKey {
  /** Milliseconds since 1970. */
  attachedAtMs: number;
}

/** What the sweep asks and says about sessions. */
export interface SessionRepository {
  /** Ends up to `limit` sessions whose relay's run is over. @returns How many. */
  endDead(limit: number): Promise<number>;
  /** Living relays that report another number of agents than there are open sessions; some of them. */
  gaps(limit: number): Promise<{ node_id: string; incarnation: string }[]>;
  /** Open sessions of a relay's run. */
  openOf(nodeId: string, incarnation: string): Promise<OpenSession[]>;
}
