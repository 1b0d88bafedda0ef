import { openDatabase } from '@tunnox/db/client';
import type { RouteStore } from '@tunnox/route-store/route-store';
import { openUpstashRouteStore } from '@tunnox/route-store/upstash-route-store';
import { type Env, parseSettings } from '../env.ts';
import { createPresenceReader } from '../lookup/presence-reader.ts';
import { createAttachmentRepository } from '../repositories/attachment-repository.ts';
import { createObjectOwners } from '../repositories/object-owners.ts';
import { createPostgres } from '../repositories/postgres.ts';
import { createRelayNodeRepository } from '../repositories/relay-node-repository.ts';
import type { AttachmentRepository, RelayNodeRepository } from '../services/live-ports.ts';
import type { PresenceReader } from '../services/ports.ts';

/** What the Durable Objects need of the outside. */
export interface ObjectServices {
  /** null: no Redis. */
  store: RouteStore | null;
  clients: AttachmentRepository;
  nodes: RelayNodeRepository;
  /** Where clients are, as far as their relays live. */
  presences: PresenceReader;
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
    const { presences, nodes } = createObjectOwners(env);
    made = {
      store: settings.redis === null ? null : openUpstashRouteStore(settings.redis),
      clients: createAttachmentRepository(postgres),
      nodes: createRelayNodeRepository(postgres, {
        baseDomains: settings.baseDomains,
        leaseMs: settings.relayLeaseMs,
      }),
      presences: createPresenceReader(presences, nodes),
      leaseMs: settings.relayLeaseMs,
    };
  }
  return made;
}
