import { openDatabase } from '@tunnox/db/client';
import type { RouteStore } from '@tunnox/route-store/route-store';
import { openUpstashRouteStore } from '@tunnox/route-store/upstash-route-store';
import { type Env, parseSettings } from '../env.ts';
import { createAttachmentRepository } from '../repositories/attachment-repository.ts';
import { createPostgres } from '../repositories/postgres.ts';
import { createRelayNodeRepository } from '../repositories/relay-node-repository.ts';
import type { AttachmentRepository, RelayNodeRepository } from '../services/live-ports.ts';

/** What the Durable Objects need of the outside. */
export interface ObjectServices {
  /** null: no Redis. */
  store: RouteStore | null;
  clients: AttachmentRepository;
  nodes: RelayNodeRepository;
  leaseMs: number;
}

let made: ObjectServices | undefined;

/** The services of this isolate: it serves one environment, and none of them holds a connection. */
export function objectServices(env: Env): ObjectServices {
  if (made === undefined) {
    const settings = parseSettings(env);
    const postgres = createPostgres(
      openDatabase({
        url: settings.databaseUrl,
        fetchEndpoint: settings.neonFetchEndpoint,
      }),
    );
    made = {
      store: settings.redis === null ? null : openUpstashRouteStore(settings.redis),
      clients: createAttachmentRepository(postgres),
      nodes: createRelayNodeRepository(postgres),
      leaseMs: settings.relayLeaseMs,
    };
  }
  return made;
}
