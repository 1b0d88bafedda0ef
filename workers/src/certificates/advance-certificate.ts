import type { AcmeClient, AcmeSigner } from './acme-client.ts';
import { AcmeError, problemText } from './acme-error.ts';
import {
  type AcmeAccountStore,
  CertificateFault,
  type CertificateJob,
  type CertificateMaker,
  type ChallengePublisher,
  type OrderLimits,
  type OrderState,
  type StepResult,
} from './certificate-ports.ts';
import type { CaaQuestion } from './check-caa.ts';
import { dnsChallengeValue, keyAuthorization } from './key-authorization.ts';
import { heldS, lookS, orderRetryS, renewAt } from './renewal.ts';

export interface AdvanceDeps {
  client: Pick<
    AcmeClient,
    'account' | 'answer' | 'authorization' | 'caaIdentities' | 'certificate' | 'finalize' | 'newOrder' | 'order'
  >;
  accounts: AcmeAccountStore;
  challenges: ChallengePublisher;
  limits: OrderLimits;
  maker: CertificateMaker;
  /** @throws {CertificateFault} when CAA records of a name do not allow this authority */
  checkCaa: (question: CaaQuestion) => Promise<void>;
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

/** An answer that nobody can see after this time, and an order that does not end, are given up. */
const ORDER_MS_MAX = 30 * 60_000;
/** An authority that is away is asked again after this. */
const AWAY_S = 30;
/** When a limit allows one more order, a tenant may have hundreds that wait for it. */
const LIMIT_SPREAD_S = 600;
/** A wait that an authority asks for in the middle of an order is taken; a longer one ends the order. */
const PAUSE_S_MAX = 600;

type Step = CertificateJob & { order: OrderState };

/**
 * The next step of a certificate's order: order, publish, let validate, finalize, fetch. Each step can be repeated: what
 * it did is written only after it, and the authority's state is what counts.
 */
export async function advanceCertificate(
  deps: AdvanceDeps,
  options: AdvanceOptions,
  job: CertificateJob,
): Promise<StepResult> {
  const { order } = job;
  try {
    // Another authority was configured meanwhile, or this is the first step.
    if (order?.directoryUrl !== options.directoryUrl) return await begin(deps, options, job);
    const signer = await signerOf(deps, options);
    const step = { ...job, order };
    if (deps.now() - order.startedAtMs > ORDER_MS_MAX) throw new CertificateFault(await slowReason(deps, step));
    if (order.proofs === null) return await publish(deps, step, signer);
    if (order.finalized && job.nextKeyEncrypted !== null) return await fetchChain(deps, step, signer);
    return await validate(deps, step, order.proofs, signer);
  } catch (error) {
    return await givenUp(deps, options, job, error);
  }
}

async function begin(deps: AdvanceDeps, options: AdvanceOptions, job: CertificateJob): Promise<StepResult> {
  const { client, challenges, limits, checkCaa, now, random } = deps;
  // What a Worker that died has left of an order that nobody knows.
  await challenges.withdraw(job.certificateId);
  const hold = (error: unknown): StepResult => {
    if (!(error instanceof CertificateFault)) throw error;
    return { kind: 'held', message: error.message, inS: heldS(now() - job.createdAtMs, random()) };
  };
  let place;
  try {
    place = await challenges.place(job);
    const { challenge } = place;
    await checkCaa({ names: job.names, identities: await client.caaIdentities(), challenge });
  } catch (error) {
    return hold(error);
  }
  const signer = await signerOf(deps, options);
  if (signer.blockedS > 0) {
    return { kind: 'held', message: 'The certificate authority takes no orders for now', inS: signer.blockedS };
  }
  const limited = await limits.begin(job);
  // Of many that wait for one place not all come back at the same moment.
  if (limited !== null) return { kind: 'held', ...limited, inS: limited.inS + random() * LIMIT_SPREAD_S };
  const { url, order } = await client.newOrder(signer, job.names);
  const { directoryUrl } = options;
  const { finalize: finalizeUrl, authorizations } = order;
  const state = { directoryUrl, orderUrl: url, finalizeUrl, authorizations, startedAtMs: now(), place };
  return {
    ...{ kind: 'going', state: 'ordering', nextKeyEncrypted: null, inS: 0 },
    order: { ...state, proofs: null, finalized: false },
  };
}

async function publish({ client, challenges }: AdvanceDeps, step: Step, signer: AcmeSigner): Promise<StepResult> {
  const { order, certificateId } = step;
  const { place } = order;
  const proofs = [];
  for (const authorizationUrl of order.authorizations) {
    const { status, identifier, challenges: offered } = await client.authorization(signer, authorizationUrl);
    // Proved within the authority's memory.
    if (status === 'valid') continue;
    const challenge = offered.find(({ type }) => type === place.challenge);
    if (challenge?.token === undefined) {
      throw new CertificateFault(`The certificate authority offers no ${place.challenge} for ${identifier.value}`);
    }
    const { token, url: challengeUrl } = challenge;
    const whole = await keyAuthorization(token, signer.publicJwk);
    const answer = place.challenge === 'dns-01' ? await dnsChallengeValue(whole) : whole;
    const proof = { authorizationUrl, challengeUrl, name: identifier.value, token, answer, answered: false };
    await challenges.publish(certificateId, place, proof);
    proofs.push(proof);
  }
  const inS = proofs.length === 0 || place.challenge === 'http-01' ? 0 : lookS(0);
  return { kind: 'going', state: 'validating', order: { ...order, proofs }, nextKeyEncrypted: null, inS };
}

async function validate(
  { client, challenges, maker, now }: AdvanceDeps,
  { order, nextKeyEncrypted, certificateId, names }: Step,
  proofs: NonNullable<OrderState['proofs']>,
  signer: AcmeSigner,
): Promise<StepResult> {
  const lookAgain = {
    kind: 'going',
    state: 'validating',
    nextKeyEncrypted,
    inS: lookS(now() - order.startedAtMs),
  } as const;
  const waiting = proofs.filter(({ answered }) => !answered);
  if (waiting.length > 0) {
    // All at once: the authority must not look for the second name's record while it is still on its way.
    for (const proof of waiting) {
      const missing = await challenges.missing(certificateId, order.place, proof);
      if (missing === null) continue;
      // Whoever has removed it meanwhile, it is put back.
      await challenges.publish(certificateId, order.place, proof);
      return { ...lookAgain, order, message: missing };
    }
    for (const proof of waiting) await giveAnswer(client, signer, proof.challengeUrl);
    return { ...lookAgain, order: { ...order, proofs: proofs.map((proof) => ({ ...proof, answered: true })) } };
  }
  for (const proof of proofs) {
    const authorization = await client.authorization(signer, proof.authorizationUrl);
    if (authorization.status === 'pending') return { ...lookAgain, order };
    if (authorization.status !== 'valid') {
      const said = authorization.challenges.flatMap(({ error }) => problemText(error) ?? []);
      throw new CertificateFault(`${proof.name} was not proved: ${said.join('; ') || authorization.status}`);
    }
  }
  if (nextKeyEncrypted === null) {
    // The key is written before the authority hears of it: a certificate whose key was lost cannot be had again.
    return { kind: 'going', state: 'finalizing', order, nextKeyEncrypted: await maker.newKey(), inS: 0 };
  }
  const known = await client.order(signer, order.orderUrl);
  if (known.status === 'invalid') throw new CertificateFault(endedText(known.error));
  if (known.status === 'pending') return { ...lookAgain, order };
  if (known.status === 'ready') {
    await client.finalize(signer, order.finalizeUrl, await maker.csr(nextKeyEncrypted, names));
  }
  return { kind: 'going', state: 'finalizing', order: { ...order, finalized: true }, nextKeyEncrypted, inS: 1 };
}

/** An answer that was given before, by a Worker that died then, is refused: what came of it the authorization says. */
async function giveAnswer(client: AdvanceDeps['client'], signer: AcmeSigner, challengeUrl: string): Promise<void> {
  try {
    await client.answer(signer, challengeUrl);
  } catch (error) {
    if (!(error instanceof AcmeError) || error.kind !== 'refused' || error.isAccountLost) throw error;
  }
}

async function fetchChain(
  { client, challenges, maker, now, random }: AdvanceDeps,
  { order, nextKeyEncrypted, certificateId, names }: Step,
  signer: AcmeSigner,
): Promise<StepResult> {
  const known = await client.order(signer, order.orderUrl);
  if (known.status === 'invalid') throw new CertificateFault(endedText(known.error));
  if (known.status !== 'valid' || known.certificate === undefined) {
    const inS = lookS(now() - order.startedAtMs);
    // Finalized as we thought, and the authority has not heard of it.
    const finalized = known.status !== 'ready';
    return { kind: 'going', state: 'finalizing', order: { ...order, finalized }, nextKeyEncrypted, inS };
  }
  const sent = await client.certificate(signer, known.certificate);
  const issued = await maker.inspect(sent, nextKeyEncrypted ?? '', names);
  await challenges.withdraw(certificateId);
  return { kind: 'issued', ...issued, renewAt: renewAt(issued.notBefore, issued.notAfter, random()) };
}

async function signerOf(
  { accounts, client }: AdvanceDeps,
  { directoryUrl, contact }: AdvanceOptions,
): Promise<AcmeSigner & { blockedS: number }> {
  const account = await accounts.load(directoryUrl);
  if (account.accountUrl !== null) return account;
  const accountUrl = await client.account(account, contact);
  await accounts.saveUrl(directoryUrl, accountUrl);
  return { ...account, accountUrl };
}

/** The order is over; what was published for it goes. What is only away for the moment goes on with the same order. */
async function givenUp(
  deps: AdvanceDeps,
  { directoryUrl }: AdvanceOptions,
  job: CertificateJob,
  error: unknown,
): Promise<StepResult> {
  const { accounts, challenges, random } = deps;
  if (!(error instanceof AcmeError) && !(error instanceof CertificateFault)) throw error;
  const { message } = error;
  const isAcme = error instanceof AcmeError;
  const isAway = isAcme && error.kind === 'unreachable';
  const isLimited = isAcme && error.kind === 'rate_limited';
  const waitS = isAcme ? (error.retryAfterS ?? 0) : 0;
  const { order, nextKeyEncrypted } = job;
  if (order?.directoryUrl === directoryUrl && (isAway || isLimited) && waitS <= PAUSE_S_MAX) {
    const state = order.proofs === null ? 'ordering' : order.finalized ? 'finalizing' : 'validating';
    const inS = Math.max(waitS, AWAY_S * (0.75 + random() / 2));
    if (deps.now() - order.startedAtMs <= ORDER_MS_MAX) {
      return { kind: 'going', state, order, nextKeyEncrypted, inS, message };
    }
  }
  await challenges.withdraw(job.certificateId);
  if (isAcme && error.isAccountLost) {
    const { accountUrl } = await accounts.load(directoryUrl);
    if (accountUrl !== null) await accounts.forgetUrl(directoryUrl, accountUrl);
    return { kind: 'held', message: 'The certificate authority has lost our account: a new one is made', inS: 1 };
  }
  if (isLimited) {
    await accounts.block(directoryUrl, waitS);
    return { kind: 'held', message, inS: waitS };
  }
  // Nothing was refused, and nothing counts.
  if (isAway && order?.directoryUrl !== directoryUrl)
    return { kind: 'held', message, inS: Math.max(waitS, 2 * AWAY_S * (1 + random())) };
  return { kind: 'failed', message, inS: Math.max(orderRetryS(job.retryCount + 1), waitS) };
}

function endedText(problem: Parameters<typeof problemText>[0]): string {
  return problemText(problem) ?? 'The certificate authority has ended the order';
}

async function slowReason({ challenges }: AdvanceDeps, { order, certificateId }: Step): Promise<string> {
  for (const proof of order.proofs ?? []) {
    if (proof.answered) continue;
    const missing = await challenges.missing(certificateId, order.place, proof);
    if (missing !== null) return `${missing}; it was waited for during half an hour`;
  }
  return 'The certificate authority did not end the order within half an hour';
}
