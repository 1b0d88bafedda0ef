import { openDatabase } from '@tunnox/db/client';
import { createDohResolver } from '../dns-resolver/doh-resolver.ts';
import type { ReconcileDeps } from '../dns-sync/reconcile-zone.ts';
import { createZoneOpener, type ZoneOpenerDeps } from '../dns-sync/zone-opener.ts';
import { ZONE_TIMES, type ZoneTimes } from '../dns-sync/zone-schedule.ts';
import type { ZoneRunRepository } from '../dns-sync/zone-run-ports.ts';
import { type Env, parseSettings } from '../env.ts';
import { createCredentialStore } from '../repositories/credential-store.ts';
import { createPostgres } from '../repositories/postgres.ts';
import { createZoneRunRepository } from '../repositories/zone-run-repository.ts';
import { checkTenantEndpoint } from '../services/check-tenant-endpoint.ts';
import { createKeyedCipher } from '../services/keyed-cipher.ts';
import { randomInteger, sha256Hex } from '../services/random.ts';

/** What runs over zones need. */
export interface DnsParts {
  zones: ZoneRunRepository;
  reconcile: ReconcileDeps;
  opener: ZoneOpenerDeps;
  times: ZoneTimes;
}

let made: DnsParts | undefined;

/** The parts of this isolate: none of them holds a connection. */
export function dnsParts(env: Env): DnsParts {
  made ??= makeParts(env);
  return made;
}

function makeParts(env: Env): DnsParts {
  const { databaseUrl, neonFetchEndpoint, encryptionKeys, dnsBeatMs, cloudflareApiUrl, dnsResolverUrl } =
    parseSettings(env);
  const postgres = createPostgres(openDatabase({ url: databaseUrl, fetchEndpoint: neonFetchEndpoint }));
  const zones = createZoneRunRepository(postgres);
  const resolver = createDohResolver(
    { fetch: (url, init) => fetch(url, init), randomInteger },
    { url: dnsResolverUrl },
  );
  const opener: ZoneOpenerDeps = {
    credentials: createCredentialStore(postgres, createKeyedCipher(encryptionKeys, 'dns-token')),
    fetch: (input, init) => fetch(input, init),
    endpoints: cloudflareApiUrl === undefined ? {} : { cloudflare: cloudflareApiUrl },
    checkEndpoint: (endpoint) => checkTenantEndpoint(resolver, endpoint),
  };
  return {
    zones,
    reconcile: { zones, opener: createZoneOpener(opener), sha256Hex },
    opener,
    times: { ...ZONE_TIMES, beatMs: dnsBeatMs },
  };
}
