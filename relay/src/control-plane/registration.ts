import type { NodeIdentity } from '@tunnox/certificates/node-identity';
import type { RegisterAnswer, RegisterRequest } from '@tunnox/domain/relay-api';
import type { Logger } from '@tunnox/observability/logger';
import type { Clock, Timer } from '../clock.ts';
import { Backoff } from './backoff.ts';
import { ControlPlaneError } from './control-plane-error.ts';
import { signNodeAssertion } from './node-assertion.ts';
import type { RelayApi } from './relay-api.ts';

export interface RegistrationDeps {
  api: Pick<RelayApi, 'register' | 'setToken'>;
  identity: NodeIdentity;
  clock: Clock;
  /** 0 (included) to 1. */
  random: () => number;
  log: Logger;
}

/** What the relay says of itself. */
export type NodeDescription = Omit<RegisterRequest, 'public_jwk' | 'assertion' | 'incarnation'>;

/** The control plane does not take this relay, and trying again does not help. */
export class RegistrationRefused extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RegistrationRefused';
  }
}

const BACKOFF = { firstMs: 1000, maxMs: 30_000 };
/** A token that was just renewed is not renewed again for a 401 that was under way. */
const RENEW_AGAIN_MS = 5000;
/** Sleeps are cut to what a timer can hold. */
const RENEW_MS_MAX = 24 * 3_600_000;

/** Holds this relay's registration: one incarnation for the life of the process, and a token that is renewed. */
export class Registration {
  /** Another process holds the node now. */
  onSuperseded: () => void = () => {};
  /** The token was renewed; keys and peers may be newer. */
  onRenewed: (answer: RegisterAnswer) => void = () => {};

  readonly #deps: RegistrationDeps;
  readonly #description: NodeDescription;
  readonly #backoff: Backoff;
  #incarnation: string | null = null;
  #renewedAtMs = 0;
  #renewing = false;
  #stopped = false;
  #timer: Timer | null = null;

  constructor(deps: RegistrationDeps, description: NodeDescription) {
    this.#deps = deps;
    this.#description = description;
    this.#backoff = new Backoff(deps.random, BACKOFF);
  }

  /**
   * Begins a new incarnation. Tries for as long as the control plane is away.
   *
   * @throws {RegistrationRefused} when it says no
   * @throws the signal's reason
   */
  async register(signal: AbortSignal): Promise<RegisterAnswer> {
    const { clock, log } = this.#deps;
    for (;;) {
      signal.throwIfAborted();
      try {
        return this.#accept(await this.#ask());
      } catch (error) {
        if (!(error instanceof ControlPlaneError)) throw error;
        if (!mayPass(error)) throw new RegistrationRefused(refusalText(error), { cause: error });
        const delayMs = this.#backoff.nextMs(error.retryAfterMs ?? 0);
        log.warn({ code: error.code, retry_in_ms: Math.round(delayMs) }, `Cannot register: ${error.message}`);
        await sleep(clock, delayMs, signal);
      }
    }
  }

  /** Renews the token, now. Called again while it runs, or shortly after, it does nothing. */
  renew(): void {
    const { clock } = this.#deps;
    if (this.#renewing || this.#stopped || clock.now() - this.#renewedAtMs < RENEW_AGAIN_MS) return;
    this.#renewing = true;
    this.#timer?.cancel();
    void this.#renew().finally(() => (this.#renewing = false));
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #renew(): Promise<void> {
    const { log } = this.#deps;
    try {
      this.onRenewed(this.#accept(await this.#ask()));
      log.info('The token was renewed');
    } catch (error) {
      if (this.#stopped) return;
      if (error instanceof ControlPlaneError && error.status === 401 && error.code !== 'clock_skew') {
        this.stop();
        this.onSuperseded();
        return;
      }
      const reason = error instanceof Error ? error.message : String(error);
      const delayMs = this.#backoff.nextMs();
      log.warn({ retry_in_ms: Math.round(delayMs) }, `Cannot renew the token: ${reason}`);
      this.#renewIn(delayMs);
    }
  }

  async #ask(): Promise<RegisterAnswer> {
    const { api, identity, clock } = this.#deps;
    const { join_token: joinToken, ...description } = this.#description;
    return api.register({
      ...description,
      public_jwk: identity.publicJwk,
      assertion: await signNodeAssertion(identity.privateKeyPem, clock.now()),
      ...(this.#incarnation === null ? {} : { incarnation: this.#incarnation }),
      ...(joinToken === undefined ? {} : { join_token: joinToken }),
    });
  }

  #accept(answer: RegisterAnswer): RegisterAnswer {
    const { api, clock } = this.#deps;
    this.#incarnation = answer.incarnation;
    this.#renewedAtMs = clock.now();
    this.#backoff.reset();
    api.setToken(answer.token);
    const lifeMs = Date.parse(answer.token_expires_at) - clock.now();
    this.#renewIn(Math.min(RENEW_MS_MAX, Math.max(RENEW_AGAIN_MS, lifeMs / 2)));
    return answer;
  }

  #renewIn(delayMs: number): void {
    this.#timer?.cancel();
    if (!this.#stopped) this.#timer = this.#deps.clock.timer(delayMs, () => this.renew());
  }
}

/** Clocks are set and ids become free: these are waited for. */
function mayPass(error: ControlPlaneError): boolean {
  if (error.code === 'clock_skew' || error.code === 'nodes_exhausted') return true;
  return error.retryable && error.status !== 401;
}

function refusalText(error: ControlPlaneError): string {
  const hint = error.code === 'forbidden' ? ' Make one with POST /api/v1/join-tokens and set TUNNOX_JOIN_TOKEN.' : '';
  return `The control plane does not take this relay: ${error.message}.${hint}`.replace('..', '.');
}

function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      timer.cancel();
      reject(signal.reason as Error);
    };
    const timer = clock.timer(delayMs, () => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
    signal.addEventListener('abort', abort, { once: true });
  });
}
