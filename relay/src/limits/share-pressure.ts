import type { Clock } from '../clock.ts';

/** Speed is judged over so long. */
const WINDOW_MS = 5000;
/** Then this part of the share was used. */
const HIGH = 0.8;
/** Without an effect it is said ever less often, at last as often as reports go anyway. */
const PAUSE_MS_MAX = 60_000;

/** Watches how much of a user's share of bandwidth is used, to say when it should grow. */
export class SharePressure {
  readonly #clock: Clock;
  #sinceMs: number;
  #bytes = 0;
  #share = 0;
  #pauseMs = WINDOW_MS;
  #quietUntilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.now();
  }

  count(bytes: number): void {
    this.#bytes += bytes;
  }

  /**
   * Whether the share is nearly used up, and it was not said a moment ago.
   *
   * @param share Bytes a second.
   */
  isHigh(share: number): boolean {
    const now = this.#clock.now();
    if (share !== this.#share) {
      this.#share = share;
      this.#pauseMs = WINDOW_MS;
      this.#quietUntilMs = 0;
      this.#begin(now);
      return false;
    }
    const ms = now - this.#sinceMs;
    if (ms < WINDOW_MS) return false;
    const high = (this.#bytes * 1000) / ms >= share * HIGH;
    this.#begin(now);
    if (!high || now < this.#quietUntilMs) return false;
    this.#quietUntilMs = now + this.#pauseMs;
    this.#pauseMs = Math.min(PAUSE_MS_MAX, this.#pauseMs * 2);
    return true;
  }

  #begin(now: number): void {
    this.#sinceMs = now;
    this.#bytes = 0;
  }
}
