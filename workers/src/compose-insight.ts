import { createAuditRepository } from './repositories/audit-repository.ts';
import { createConnectionRepository } from './repositories/connection-repository.ts';
import type { Postgres } from './repositories/postgres.ts';
import { createStatsRepository } from './repositories/stats-repository.ts';
import { AuditService } from './services/audit-service.ts';
import { ConnectionService } from './services/connection-service.ts';
import type { PresenceReader } from './services/ports.ts';
import { StatsService } from './services/stats-service.ts';

/** What shows people what was used, what passed, and who changed what. */
export interface InsightParts {
  stats: StatsService;
  connections: ConnectionService;
  audit: AuditService;
}

export function composeInsight(deps: { postgres: Postgres; presences: PresenceReader }): InsightParts {
  const { postgres, presences } = deps;
  return {
    stats: new StatsService({ stats: createStatsRepository(postgres), presences, now: Date.now }),
    connections: new ConnectionService({ connections: createConnectionRepository(postgres) }),
    audit: new AuditService({ audit: createAuditRepository(postgres) }),
  };
}
