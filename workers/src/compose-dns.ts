import { openAccess } from './dns-sync/zone-opener.ts';
import { DRIVERS } from './dns-sync/providers/drivers.ts';
import { ProviderError } from './dns-sync/zone-provider.ts';
import type { Env, Settings } from './env.ts';
import { dnsParts } from './objects/dns-parts.ts';
import { createDnsCredentialRepository } from './repositories/dns-credential-repository.ts';
import { createDnsRecordRepository } from './repositories/dns-record-repository.ts';
import { createDnsZoneRepository } from './repositories/dns-zone-repository.ts';
import { callObject, callObjectOnce } from './repositories/object-call.ts';
import { zoneReconcilerStub } from './repositories/object-stubs.ts';
import type { Postgres } from './repositories/postgres.ts';
import { DnsCredentialService } from './services/dns-credential-service.ts';
import type { DnsOwners } from './services/dns-owners.ts';
import type { ZoneFinder, ZoneOwners } from './services/dns-ports.ts';
import { DnsRecordService } from './services/dns-record-service.ts';
import { DnsZoneService } from './services/dns-zone-service.ts';
import { createKeyedCipher } from './services/keyed-cipher.ts';
import { invalid } from './services/principal.ts';
import { TunnoxError } from '@tunnox/domain/tunnox-error';

/** A tenant that makes a zone waits for its provider no longer than this. */
const FIND_TIMEOUT_MS = 15_000;

/** Zones that one sweep wakes at the most. */
const NEGLECTED_MAX = 100;

/** DNS: what the management API needs, and what the sweep does for zones whose alarm was lost. */
export function composeDns({
  env,
  settings,
  postgres,
  dnsOwners,
}: {
  env: Env;
  settings: Settings;
  postgres: Postgres;
  dnsOwners: DnsOwners;
}) {
  const { baseDomains, encryptionKeys } = settings;
  const { opener, zones: runs } = dnsParts(env);
  const owners: ZoneOwners = {
    wake: (zoneId) => callObject(async () => zoneReconcilerStub(env, zoneId).wake(zoneId)),
    reconcile: (zoneId, wish) => callObjectOnce(async () => zoneReconcilerStub(env, zoneId).reconcile(zoneId, wish)),
  };
  const finder: ZoneFinder = {
    callsMax: (provider) => DRIVERS[provider].callsMax,
    async findZone(credentialId, zone) {
      try {
        const { access, driver } = await openAccess(opener, credentialId);
        return await driver.findZone(access, zone, AbortSignal.timeout(FIND_TIMEOUT_MS));
      } catch (error) {
        throw error instanceof ProviderError ? toTunnoxError(error) : error;
      }
    },
  };
  const credentialRows = createDnsCredentialRepository(postgres);
  const zoneRows = createDnsZoneRepository(postgres);
  return {
    dnsCredentials: new DnsCredentialService({
      credentials: credentialRows,
      finder,
      owners,
      cipher: createKeyedCipher(encryptionKeys, 'dns-token'),
    }),
    dnsZones: new DnsZoneService(
      { zones: zoneRows, credentials: credentialRows, finder, owners, dnsOwners },
      { baseDomains },
    ),
    dnsRecords: new DnsRecordService({ records: createDnsRecordRepository(postgres), zones: zoneRows, owners }),
    /** Wakes zones whose alarm was lost. */
    sweepZones: async (): Promise<void> => {
      await Promise.all((await runs.neglected(NEGLECTED_MAX)).map((zoneId) => owners.wake(zoneId)));
    },
  };
}

/** What a person hears who wants to connect a zone. */
function toTunnoxError(error: ProviderError): TunnoxError {
  switch (error.kind) {
    case 'unauthorized':
      return invalid('/credential_id', `does not work: ${error.message}`);
    case 'zone_missing':
    case 'rejected':
      return invalid('/domain', `cannot be connected: ${error.message}`);
    case 'rate_limited':
    case 'unreachable':
      return new TunnoxError('unavailable', error.message, { retryAfterS: error.retryAfterS ?? 30, cause: error });
  }
}
