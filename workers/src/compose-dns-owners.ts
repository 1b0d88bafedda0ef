import type { Env, Settings } from './env.ts';
import { callObject } from './repositories/object-call.ts';
import { zoneReconcilerStub } from './repositories/object-stubs.ts';
import { createOwnerRecordRepository } from './repositories/owner-record-repository.ts';
import type { Postgres } from './repositories/postgres.ts';
import { DnsOwners } from './services/dns-owners.ts';
import type { Log } from './services/node-ports.ts';

export interface DnsOwnersParts {
  env: Env;
  settings: Pick<Settings, 'baseDomains' | 'relayLeaseMs'>;
  postgres: Postgres;
  log: Log;
}

/** DNS records that follow relays and domains. */
export function composeDnsOwners({ env, settings, postgres, log }: DnsOwnersParts): DnsOwners {
  const { baseDomains, relayLeaseMs: leaseMs } = settings;
  return new DnsOwners({
    records: createOwnerRecordRepository(postgres, { baseDomains, leaseMs }),
    zones: { wake: (zoneId) => callObject(async () => zoneReconcilerStub(env, zoneId).wake(zoneId)) },
    log,
    pause: (ms) => scheduler.wait(ms),
    now: Date.now,
  });
}
