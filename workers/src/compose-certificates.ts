import { keyPem } from './certificates/certificate-maker.ts';
import type { Env, Settings } from './env.ts';
import { createCertificateRepository } from './repositories/certificate-repository.ts';
import { createCertificateWantRepository } from './repositories/certificate-want-repository.ts';
import { createChallengeRepository } from './repositories/challenge-repository.ts';
import { callObject } from './repositories/object-call.ts';
import { certificateWorkerStub, zoneReconcilerStub } from './repositories/object-stubs.ts';
import type { Postgres } from './repositories/postgres.ts';
import type { CertificateWaker } from './services/certificate-ports.ts';
import { CertificateService } from './services/certificate-service.ts';
import { createKeyedCipher } from './services/keyed-cipher.ts';
import type { Log } from './services/node-ports.ts';

export interface CertificatesDeps {
  env: Env;
  settings: Settings;
  postgres: Postgres;
  log: Log;
}

/** Certificates: what the management API and relays need, and what the sweep does. */
export function composeCertificates({ env, settings, postgres, log }: CertificatesDeps) {
  const { baseDomains, encryptionKeys, acme } = settings;
  const waker: CertificateWaker = {
    async wake() {
      if (acme === null) return;
      try {
        await callObject(async () => certificateWorkerStub(env).wake());
      } catch (error) {
        log.warn({ err: String(error) }, 'The work on certificates could not be woken: the sweep does it');
      }
    },
  };
  const cipher = createKeyedCipher(encryptionKeys, 'certificate-key');
  const wants = createCertificateWantRepository(postgres);
  const challenges = createChallengeRepository(postgres);
  return {
    certificates: new CertificateService(
      {
        certificates: createCertificateRepository(postgres),
        waker,
        keyPem: (keyEncrypted) => keyPem(cipher, keyEncrypted),
        log,
      },
      { baseDomains, hasAuthority: acme !== null },
    ),
    certificateWaker: waker,
    /** Wakes the work on certificates, whose alarm may be lost, and removes what has ended. */
    sweepCertificates: async (): Promise<void> => {
      await wants.clear();
      const zoneIds = await challenges.withdrawLost();
      await Promise.all(zoneIds.map((zoneId) => callObject(async () => zoneReconcilerStub(env, zoneId).wake(zoneId))));
      await waker.wake();
    },
  };
}
