import { createDohResolver } from './dns-resolver/doh-resolver.ts';
import type { Settings } from './env.ts';
import { createDomainProofRepository } from './repositories/domain-proof-repository.ts';
import { createDomainRepository } from './repositories/domain-repository.ts';
import type { Postgres } from './repositories/postgres.ts';
import { createDomainSetupRepository } from './repositories/domain-setup-repository.ts';
import { createReservedNameRepository } from './repositories/reserved-name-repository.ts';
import type { ChangeTeller } from './services/change-teller.ts';
import type { CertificateWaker } from './services/certificate-ports.ts';
import type { ClientLookup } from './services/client-lookup.ts';
import type { DnsOwners } from './services/dns-owners.ts';
import { DomainNames } from './services/domain-names.ts';
import { proofToken } from './services/domain-proof.ts';
import { DomainProofService, PROOF_SCHEDULE } from './services/domain-proof-service.ts';
import { DomainService } from './services/domain-service.ts';
import type { Log } from './services/node-ports.ts';
import type { PresenceReader } from './services/ports.ts';
import { OWNER_RULES } from './services/owner-rules.ts';
import { ProofLooks } from './services/proof-looks.ts';
import { ProofSweep } from './services/proof-sweep.ts';
import type { PublicUrls } from './services/public-urls.ts';
import { randomInteger } from './services/random.ts';
import type { RateLimiter } from './services/rate-limiter.ts';
import { SetupLooks } from './services/setup-looks.ts';
import { SetupSweep } from './services/setup-sweep.ts';
import { ReservedNameService } from './services/reserved-name-service.ts';
import type { WaitingReader } from './services/waiting-reader.ts';

export interface DomainsDeps {
  settings: Pick<Settings, 'baseDomains' | 'dnsResolverUrl' | 'encryptionKey'>;
  postgres: Postgres;
  clients: ClientLookup;
  presences: PresenceReader;
  waiting: WaitingReader;
  teller: ChangeTeller;
  rateLimiter: RateLimiter;
  urls: PublicUrls;
  dnsOwners: DnsOwners;
  certificateWaker: CertificateWaker;
  log: Log;
}

/** Domains, their proofs, and the names that are kept back. */
export function composeDomains({
  settings,
  postgres,
  clients,
  presences,
  waiting,
  teller,
  rateLimiter,
  urls,
  dnsOwners,
  certificateWaker,
  log,
}: DomainsDeps) {
  const { baseDomains, dnsResolverUrl, encryptionKey } = settings;
  const repository = createDomainRepository(postgres);
  const domainNames = new DomainNames({ domains: repository }, { baseDomains });
  const domains = new DomainService({
    domains: repository,
    names: domainNames,
    ...{ clients, presences, waiting, teller, urls, dnsOwners },
    proofToken: (userId, fullDomain) => proofToken(encryptionKey, userId, fullDomain),
  });
  const proofs = createDomainProofRepository(postgres, PROOF_SCHEDULE);
  const resolver = createDohResolver(
    { fetch: (url, init) => fetch(url, init), randomInteger },
    { url: dnsResolverUrl },
  );
  const looks = new ProofLooks({ proofs, resolver, certificates: certificateWaker }, { baseDomains });
  const setups = createDomainSetupRepository(postgres);
  const setupLooks = new SetupLooks(
    { setups, resolver, now: Date.now },
    { baseDomains, targetLabel: OWNER_RULES.targetLabel },
  );
  const setupSweep = new SetupSweep({ setups, looks: setupLooks, log });
  const domainProofs = new DomainProofService({
    domains: repository,
    ...{ proofs, looks, setups: setupLooks, teller, rateLimiter },
    show: (caller, domainId) => domains.find(caller, domainId),
  });
  const proofSweep = new ProofSweep({ proofs, looks, teller, log });
  const reservedNames = new ReservedNameService({ names: createReservedNameRepository(postgres) });
  return { domains, domainNames, domainProofs, proofSweep, setupSweep, reservedNames };
}
