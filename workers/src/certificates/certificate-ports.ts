import type { JWK } from 'jose';

export type ChallengeType = 'dns-01' | 'http-01';

/** How far an order is: as data, so that any Worker goes on with it. */
export interface OrderState {
  directoryUrl: string;
  orderUrl: string;
  finalizeUrl: string;
  /** Milliseconds since 1970. */
  startedAtMs: number;
  /** What is still to be proved; empty: nothing. */
  proofs: OrderProof[];
  /** The order was finalized: its key is `nextKeyEncrypted`. */
  finalized: boolean;
}

/** One name of an order that is to be proved. */
export interface OrderProof {
  authorizationUrl: string;
  challengeUrl: string;
  /** Without `*.`. */
  name: string;
  token: string;
  /** Answer at `/.well-known/acme-challenge/{token}`, or text of the TXT record. */
  answer: string;
  /** The authority was told to look. */
  answered: boolean;
}

/** A certificate that is worked on. */
export interface CertificateJob {
  certificateId: number;
  names: string[];
  challenge: ChallengeType;
  state: 'pending' | 'ordering' | 'validating' | 'finalizing' | 'active' | 'error';
  order: OrderState | null;
  nextKeyEncrypted: string | null;
  /** One is served already. */
  hasChain: boolean;
  retryCount: number;
}

/** What a step leaves behind. */
export type StepResult =
  /** Go on in so many seconds. */
  | {
      kind: 'going';
      state: 'ordering' | 'validating' | 'finalizing';
      order: OrderState;
      nextKeyEncrypted: string | null;
      inS: number;
    }
  | { kind: 'issued'; chain: string; notBefore: Date; notAfter: Date; renewAt: Date }
  /** The order is given up; a new one begins later. */
  | { kind: 'failed'; message: string; inS: number };

export interface CertificateRepository {
  /** Takes certificates whose next step is due, each for `leaseS`; two Workers never work on one. */
  takeDue(holder: string, leaseS: number, limit: number): Promise<CertificateJob[]>;
  /** Takes one, due or not. null: somebody works on it. */
  take(certificateId: number, holder: string, leaseS: number): Promise<CertificateJob | null>;
  /** Writes a step's result and gives the lease back. @returns false: the lease is lost, nothing was written. */
  save(certificateId: number, holder: string, result: StepResult): Promise<boolean>;
}

/** The account at one authority; its key stays where it is encrypted. */
export interface AcmeAccountStore {
  /** Makes the key at the first use. */
  load(directoryUrl: string): Promise<{ privateKey: CryptoKey; publicJwk: JWK; accountUrl: string | null }>;
  saveUrl(directoryUrl: string, accountUrl: string): Promise<void>;
}

/** Puts answers to challenges where authorities look for them. */
export interface ChallengePublisher {
  /** @throws {ChallengeFault} when there is no place for it, such as no zone for the name */
  publish(job: Pick<CertificateJob, 'certificateId' | 'challenge'>, proof: OrderProof): Promise<void>;
  /** Whether everybody can see it. */
  isVisible(job: Pick<CertificateJob, 'certificateId' | 'challenge'>, proof: OrderProof): Promise<boolean>;
  /** Takes all answers of the certificate back. */
  withdraw(certificateId: number): Promise<void>;
}

/** Something that the owner of the name, or an operator, has to mend. */
export class ChallengeFault extends Error {}

/** Makes keys and requests for certificates, and reads them. */
export interface CertificateMaker {
  /** @returns A new key, encrypted. */
  newKey(): Promise<string>;
  /** PKCS #10 in DER for the names, signed with the key. */
  csr(keyEncrypted: string, names: readonly string[]): Promise<Uint8Array>;
  /** @throws {Error} when the chain is not for this key and these names. */
  inspect(chain: string, keyEncrypted: string, names: readonly string[]): Promise<{ notBefore: Date; notAfter: Date }>;
}
