import type { JWK } from 'jose';

export type ChallengeType = 'dns-01' | 'http-01';

/** Where the answers of an order are put: decided once, before it begins. */
export type ChallengePlace =
  /** A TXT record at `name` in one of our zones; the public name leads to it. */
  { challenge: 'dns-01'; zoneId: number; name: string } | { challenge: 'http-01' };

/** How far an order is: as data, so that any Worker goes on with it. */
export interface OrderState {
  directoryUrl: string;
  orderUrl: string;
  finalizeUrl: string;
  authorizations: string[];
  /** Milliseconds since 1970. */
  startedAtMs: number;
  place: ChallengePlace;
  /** What is still to be proved, empty: nothing; null: the authorizations were not read yet. */
  proofs: OrderProof[] | null;
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
  /** Base domain that it is for; null: a custom domain's. */
  baseDomain: string | null;
  /** Tenant whose custom domain it is for. */
  userId: number | null;
  order: OrderState | null;
  nextKeyEncrypted: string | null;
  retryCount: number;
  /** Since when it is wanted, milliseconds since 1970. */
  createdAtMs: number;
}

/** What a step leaves behind. */
export type StepResult =
  /** Go on in so many seconds. `message`: what it waits for that is not as it should be. */
  | {
      kind: 'going';
      state: 'ordering' | 'validating' | 'finalizing';
      order: OrderState;
      nextKeyEncrypted: string | null;
      inS: number;
      message?: string;
    }
  | { kind: 'issued'; chain: string; notBefore: Date; notAfter: Date; renewAt: Date }
  /** There is no order, and there shall be none yet: nothing has failed. */
  | { kind: 'held'; message: string; inS: number }
  /** The order is given up; a new one begins later. */
  | { kind: 'failed'; message: string; inS: number };

export interface CertificateJobRepository {
  /** Takes certificates whose next step is due, each for `leaseS`; two Workers never work on one. */
  takeDue(holder: string, leaseS: number, limit: number): Promise<CertificateJob[]>;
  /**
   * Writes a step's result and gives the lease back.
   *
   * @returns Version of the certificate, as relays count it; null: the lease is lost, nothing was written.
   */
  save(certificateId: number, holder: string, result: StepResult): Promise<number | null>;
  /** When the next step is due, milliseconds since 1970, with leases that run counted; null: never. */
  nextDueAtMs(): Promise<number | null>;
}

/** The account at one authority; its key stays where it is encrypted. */
export interface AcmeAccountStore {
  /** Makes the key at the first use. */
  load(directoryUrl: string): Promise<AcmeAccount>;
  saveUrl(directoryUrl: string, accountUrl: string): Promise<void>;
  /** The authority does not know the account any more. */
  forgetUrl(directoryUrl: string, accountUrl: string): Promise<void>;
  /** No orders are begun until then, whoever asks. */
  block(directoryUrl: string, seconds: number): Promise<void>;
}

export interface AcmeAccount {
  privateKey: CryptoKey;
  publicJwk: JWK;
  accountUrl: string | null;
  /** Seconds for which the authority wants no orders; 0: it takes them. */
  blockedS: number;
}

/** Puts answers to challenges where authorities look for them. */
export interface ChallengePublisher {
  /**
   * Where the answers for a certificate go.
   *
   * @throws {CertificateFault} when there is no place: an order could not pass
   */
  place(job: Pick<CertificateJob, 'names' | 'baseDomain' | 'userId'>): Promise<ChallengePlace>;
  /** @throws {CertificateFault} when it cannot stand there, such as beside a CNAME */
  publish(certificateId: number, place: ChallengePlace, proof: OrderProof): Promise<void>;
  /** null: everybody can see it; otherwise what is missing, as a sentence. */
  missing(certificateId: number, place: ChallengePlace, proof: OrderProof): Promise<string | null>;
  /** Takes all answers of the certificate back. */
  withdraw(certificateId: number): Promise<void>;
}

/** Keeps the limits of authorities, and one tenant from using up what is there for all. */
export interface OrderLimits {
  /** Counts an order, or says why there may be none now, and for how long. */
  begin(
    job: Pick<CertificateJob, 'certificateId' | 'names' | 'userId'>,
  ): Promise<null | { message: string; inS: number }>;
}

/** Something that the owner of the name, or an operator, has to mend. */
export class CertificateFault extends Error {}

/** Makes keys and requests for certificates, and reads them. */
export interface CertificateMaker {
  /** @returns A new key, encrypted. */
  newKey(): Promise<string>;
  /** PKCS #10 in DER for the names, signed with the key. */
  csr(keyEncrypted: string, names: readonly string[]): Promise<Uint8Array>;
  /**
   * @returns The certificates of the chain and nothing else, and how long the first one lasts.
   * @throws {CertificateFault} when the chain is not for this key and these names, or cannot be read
   */
  inspect(
    chain: string,
    keyEncrypted: string,
    names: readonly string[],
  ): Promise<{ chain: string; notBefore: Date; notAfter: Date }>;
}
