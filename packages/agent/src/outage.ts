import { DELAY_MS_MAX, RESTART_DELAY_MS_MAX } from './backoff.ts';
import type { Clock } from './clock.ts';
import { isConnectionRefused } from './connection-refused.ts';

/** A platform that restarts is back by then; one that is not has other troubles than a back-off. */
const RESTART_MS = 120_000;

/**
 * What is known of the time without a connection: when it began, and whether the platform as a whole was away (its
 * programs were not running: nothing listened at the control plane nor at any relay). Such a platform is one that is
 * started again, and nobody of it can be run over yet.
 */
export class Outage {
  readonly #clock: Clock;
  #beganMs: number;
  #controlPlaneWasAway = false;
  #relaysAreAway = true;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#beganMs = clock.now();
  }

  /** A connection that stood was lost, or is to be left. */
  begin(): void {
    this.#beganMs = this.#clock.now();
    this.#controlPlaneWasAway = false;
    this.#relaysAreAway = true;
  }

  /** A call to the control plane failed. That it once was away is remembered: it may be up before its relays are. */
  controlPlaneFailed(error: unknown): void {
    if (isConnectionRefused(error)) this.#controlPlaneWasAway = true;
  }

  /** A round of tries ended without a connection; `errors` of all of them, none when there was no relay to try. */
  relaysFailed(errors: readonly unknown[]): void {
    this.#relaysAreAway = errors.every(isConnectionRefused);
  }

  /** Upper bound of the back-off now, in milliseconds. */
  get delayMsMax(): number {
    const restarts = this.#controlPlaneWasAway && this.#relaysAreAway;
    return restarts && this.#clock.now() - this.#beganMs < RESTART_MS ? RESTART_DELAY_MS_MAX : DELAY_MS_MAX;
  }
}
