import type { Router } from '../router/router.ts';
import type { ChallengeAnswers } from './challenge-answers.ts';
import type { DeadlineSweep } from './deadline-sweep.ts';
import type { TrustedPeers } from './forwarding.ts';
import type { ProxyMetrics } from './proxy-metrics.ts';
import type { TunnelPool } from './tunnel-pool.ts';
import type { VisitorConnection } from './visitor-connection.ts';

/** What the connections of one proxy share. */
export interface ProxyCore {
  readonly router: Router;
  readonly pool: TunnelPool;
  readonly sweep: DeadlineSweep;
  readonly metrics: ProxyMetrics;
  readonly trustedPeers: TrustedPeers | null;
  readonly warningPages: boolean;
  /** Proofs for certificate authorities; null: there are none. */
  readonly challenges: Pick<ChallengeAnswers, 'find'> | null;
  /** The relay is going down: every answer is the last one of its connection. */
  readonly draining: boolean;
  newTunnelId(): string;
  /** The time for a Date field. */
  date(): string;
  /** The connection is closed. */
  closed(connection: VisitorConnection): void;
}
