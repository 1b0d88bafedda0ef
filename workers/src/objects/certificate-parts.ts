import { openDatabase } from '@tunnox/db/client';
import { AcmeClient } from '../certificates/acme-client.ts';
import { createCertificateMaker } from '../certificates/certificate-maker.ts';
import { CertificateRunner } from '../certificates/certificate-runner.ts';
import { createChallengePublisher } from '../certificates/challenge-publisher.ts';
import { checkCaa } from '../certificates/check-caa.ts';
import { createDohResolver } from '../dns-resolver/doh-resolver.ts';
import { type Env, parseSettings } from '../env.ts';
import { createLog } from '../log.ts';
import { createAcmeAccountStore } from '../repositories/acme-account-store.ts';
import { createCertificateJobRepository } from '../repositories/certificate-job-repository.ts';
import { createCertificateWantRepository } from '../repositories/certificate-want-repository.ts';
import { createChallengeRepository } from '../repositories/challenge-repository.ts';
import { callObject } from '../repositories/object-call.ts';
import { nodeDirectoryStub, zoneReconcilerStub } from '../repositories/object-stubs.ts';
import { createOrderLimits } from '../repositories/order-limits.ts';
import { createPostgres } from '../repositories/postgres.ts';
import { createKeyedCipher } from '../services/keyed-cipher.ts';
import type { Log } from '../services/node-ports.ts';
import { randomInteger } from '../services/random.ts';

/** What the work on certificates needs. */
export interface CertificateParts {
  runner: CertificateRunner;
  log: Log;
}

let made: CertificateParts | null | undefined;

/** The parts of this isolate: none of them holds a connection. null: no authority is configured. */
export function certificateParts(env: Env): CertificateParts | null {
  if (made === undefined) made = makeParts(env);
  return made;
}

function makeParts(env: Env): CertificateParts | null {
  const { databaseUrl, neonFetchEndpoint, encryptionKeys, baseDomains, dnsResolverUrl, acme } = parseSettings(env);
  if (acme === null) return null;
  const { directoryUrl, contact } = acme;
  const log = createLog((level, line) => console[level](line));
  const postgres = createPostgres(openDatabase({ url: databaseUrl, fetchEndpoint: neonFetchEndpoint }));
  const resolver = createDohResolver(
    { fetch: (url, init) => fetch(url, init), randomInteger },
    { url: dnsResolverUrl },
  );
  const challenges = createChallengePublisher(
    {
      challenges: createChallengeRepository(postgres),
      resolver,
      // A zone that could not be woken is woken by the sweep.
      wakeZone: (zoneId) =>
        callObject(async () => zoneReconcilerStub(env, zoneId).wake(zoneId)).catch((error: unknown) => {
          log.warn({ err: String(error), zone_id: zoneId }, 'A zone could not be woken for a proof');
        }),
    },
    { baseDomains },
  );
  const runner = new CertificateRunner(
    {
      advance: {
        client: new AcmeClient({ fetch: (url, init) => fetch(url, init), now: Date.now }, directoryUrl),
        accounts: createAcmeAccountStore(postgres, createKeyedCipher(encryptionKeys, 'acme-account')),
        challenges,
        limits: createOrderLimits(postgres),
        maker: createCertificateMaker(createKeyedCipher(encryptionKeys, 'certificate-key')),
        checkCaa: (question) => checkCaa(resolver, question),
        now: Date.now,
        random: Math.random,
      },
      jobs: createCertificateJobRepository(postgres),
      wants: createCertificateWantRepository(postgres),
      tellRelays: (version) => callObject(async () => nodeDirectoryStub(env).tellCertificates(version)),
      log,
      now: Date.now,
    },
    { directoryUrl, contact, baseDomains, holder: crypto.randomUUID() },
  );
  return { runner, log };
}
