import type { AcmeClient, AcmeSigner } from './acme-client.ts';
import { AcmeError, problemText } from './acme-error.ts';
import {
  type AcmeAccountStore,
  type CertificateJob,
  type CertificateMaker,
  ChallengeFault,
  type ChallengePublisher,
  type OrderProof,
  type OrderState,
  type StepResult,
} from './certificate-ports.ts';
import { dnsChallengeValue, keyAuthorization } from './key-authorization.ts';
import { orderRetryS, renewAt } from './renewal.ts';

export interface AdvanceDeps {
  client: AcmeClient;
  accounts: AcmeAccountStore;
  challenges: ChallengePublisher;
  maker: CertificateMaker;
  /** @throws {ChallengeFault} when CAA records of a name do not allow this authority */
  checkCaa: (names: readonly string[], identities: readonly string[]) => Promise<void>;
  /** Milliseconds since 1970. */
  now: () => number;
  /** 0 ≤ random < 1. */
  random: () => number;
}

export interface AdvanceOptions {
  directoryUrl: string;
  /** `mailto:` addresses for the account. */
  contact: readonly string[];
}

/** Between two looks at something that others do: a record to be seen, a validation, an issuance. */
const LOOK_S = 3;
/** An answer that nobody can see after this time, and an order that does not end, are given up. */
const ORDER_MS_MAX = 30 * 60_000;

/**
 * The next step of a certificate's order: order and publish, let validate, finalize, fetch. Each step can be repeated:
 * what it did is written only after it, and the authority's state is what counts.
 */
export async function advanceCertificate(
  deps: AdvanceDeps,
  options: AdvanceOptions,
  job: CertificateJob,
): Promise<StepResult> {
  try {
    const signer = await signerOf(deps, options);
    const { order } = job;
    // Another authority was configured meanwhile, or this is the first step.
    if (order?.directoryUrl !== options.directoryUrl) return await begin(deps, options, job, signer);
    if (deps.now() - order.startedAtMs > ORDER_MS_MAX) {
      throw new ChallengeFault(await slowReason(deps, job, order));
    }
    if (order.finalized && job.nextKeyEncrypted !== null) return await fetch(deps, job, order, signer);
    return await validate(deps, job, order, signer);
  } catch (error) {
    return await givenUp(deps, job, error);
  }
}

async function begin(
  { client, challenges, checkCaa, now }: AdvanceDeps,
  { directoryUrl }: AdvanceOptions,
  job: CertificateJob,
  signer: AcmeSigner,
): Promise<StepResult> {
  await checkCaa(job.names, await client.caaIdentities());
  const { url, order } = await client.newOrder(signer, job.names);
  const proofs: OrderProof[] = [];
  for (const authorizationUrl of order.authorizations) {
    const authorization = await client.authorization(signer, authorizationUrl);
    // Proved within the authority's memory.
    if (authorization.status === 'valid') continue;
    const challenge = authorization.challenges.find(({ type }) => type === job.challenge);
    if (challenge?.token === undefined) {
      throw new ChallengeFault(
        `The certificate authority offers no ${job.challenge} for ${authorization.identifier.value}`,
      );
    }
    const whole = await keyAuthorization(challenge.token, signer.publicJwk);
    const answer = job.challenge === 'dns-01' ? await dnsChallengeValue(whole) : whole;
    const { token, url: challengeUrl } = challenge;
    const proof = {
      authorizationUrl,
      challengeUrl,
      name: authorization.identifier.value,
      token,
      answer,
      answered: false,
    };
    await challenges.publish(job, proof);
    proofs.push(proof);
  }
  const state = {
    directoryUrl,
    orderUrl: url,
    finalizeUrl: order.finalize,
    startedAtMs: now(),
    proofs,
    finalized: false,
  };
  return {
    kind: 'going',
    state: 'validating',
    order: state,
    nextKeyEncrypted: null,
    inS: proofs.length === 0 ? 0 : LOOK_S,
  };
}

async function validate(
  { client, challenges, maker }: AdvanceDeps,
  job: CertificateJob,
  order: OrderState,
  signer: AcmeSigner,
): Promise<StepResult> {
  const going = (proofs: OrderProof[], inS: number): StepResult => ({
    ...{ kind: 'going', state: 'validating', order: { ...order, proofs }, nextKeyEncrypted: null, inS },
  });
  const waiting = order.proofs.filter(({ answered }) => !answered);
  if (waiting.length > 0) {
    // All at once: the CA must not look for the second name's record while it is still on its way.
    for (const proof of waiting) {
      if (await challenges.isVisible(job, proof)) continue;
      await challenges.publish(job, proof);
      return going(order.proofs, LOOK_S);
    }
    for (const proof of waiting) await client.answer(signer, proof.challengeUrl);
    return going(
      order.proofs.map((proof) => ({ ...proof, answered: true })),
      LOOK_S,
    );
  }
  for (const proof of order.proofs) {
    const authorization = await client.authorization(signer, proof.authorizationUrl);
    if (authorization.status === 'pending') return going(order.proofs, LOOK_S);
    if (authorization.status !== 'valid') {
      const said = authorization.challenges.flatMap(({ error }) => problemText(error) ?? []);
      throw new ChallengeFault(`${proof.name} was not proved: ${said.join('; ') || authorization.status}`);
    }
  }
  const nextKeyEncrypted = job.nextKeyEncrypted ?? (await maker.newKey());
  // The key is written before the authority hears of it: a certificate whose key was lost cannot be had again.
  if (job.nextKeyEncrypted === null) {
    return { kind: 'going', state: 'finalizing', order, nextKeyEncrypted, inS: 0 };
  }
  const known = await client.order(signer, order.orderUrl);
  if (known.status === 'ready') {
    await client.finalize(signer, order.finalizeUrl, await maker.csr(nextKeyEncrypted, job.names));
  } else if (known.status === 'invalid') {
    throw new ChallengeFault(problemText(known.error) ?? 'The certificate authority has ended the order');
  } else if (known.status === 'pending') {
    return going(order.proofs, LOOK_S);
  }
  return { kind: 'going', state: 'finalizing', order: { ...order, finalized: true }, nextKeyEncrypted, inS: LOOK_S };
}

async function fetch(
  { client, challenges, maker, random }: AdvanceDeps,
  job: CertificateJob,
  order: OrderState,
  signer: AcmeSigner,
): Promise<StepResult> {
  const nextKeyEncrypted = job.nextKeyEncrypted ?? '';
  const known = await client.order(signer, order.orderUrl);
  if (known.status === 'invalid') {
    throw new ChallengeFault(problemText(known.error) ?? 'The certificate authority has ended the order');
  }
  if (known.status !== 'valid' || known.certificate === undefined) {
    return { kind: 'going', state: 'finalizing', order, nextKeyEncrypted, inS: LOOK_S };
  }
  const chain = await client.certificate(signer, known.certificate);
  const { notBefore, notAfter } = await maker.inspect(chain, nextKeyEncrypted, job.names);
  await challenges.withdraw(job.certificateId);
  return { kind: 'issued', chain, notBefore, notAfter, renewAt: renewAt(notBefore, notAfter, random()) };
}

async function signerOf(
  { accounts, client }: AdvanceDeps,
  { directoryUrl, contact }: AdvanceOptions,
): Promise<AcmeSigner> {
  const account = await accounts.load(directoryUrl);
  if (account.accountUrl !== null) return account;
  const accountUrl = await client.account(account, contact);
  await accounts.saveUrl(directoryUrl, accountUrl);
  return { ...account, accountUrl };
}

/** The order is over; what was published for it goes. What is only away for the moment goes on with the same order. */
async function givenUp({ challenges }: AdvanceDeps, job: CertificateJob, error: unknown): Promise<StepResult> {
  const { order, nextKeyEncrypted, retryCount } = job;
  const isAway = error instanceof AcmeError && error.kind === 'unreachable';
  if (isAway && order !== null) {
    const state = order.finalized ? 'finalizing' : 'validating';
    return { kind: 'going', state, order, nextKeyEncrypted, inS: 10 * LOOK_S };
  }
  await challenges.withdraw(job.certificateId);
  if (!(error instanceof AcmeError) && !(error instanceof ChallengeFault)) throw error;
  const waitS = error instanceof AcmeError ? (error.retryAfterS ?? 0) : 0;
  return { kind: 'failed', message: error.message, inS: Math.max(orderRetryS(retryCount + 1), waitS) };
}

async function slowReason({ challenges }: AdvanceDeps, job: CertificateJob, order: OrderState): Promise<string> {
  for (const proof of order.proofs) {
    if (proof.answered || (await challenges.isVisible(job, proof))) continue;
    return job.challenge === 'dns-01'
      ? `The TXT record for ${proof.name} could not be seen for half an hour: look at its state in the DNS records, and at the zone's delegation`
      : `The answer for ${proof.name} could not be seen for half an hour: does the name lead to the relays?`;
  }
  return 'The certificate authority did not end the order within half an hour';
}
