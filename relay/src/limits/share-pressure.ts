import type { Clock } from '../clock.ts';

/** Speed is judged over so long. */
const WINDOW_MS = 5000;
/** Younger windows say too little: the last one counts. */
const WINDOW_MS_MIN = 3000;
/** When this part of a share is used, it should grow. */
const HIGH = 0.8;
/** Less than this part of what was told, others may have the rest. */
const FALL = 0.5;
/** Who was told to use less than this part of its share holds nothing back. */
const LOW = 0.1;
/** Without an effect a need is told ever less often, at last as often as reports go anyway. */
const PAUSE_MS_MAX = 60_000;

/** Watches how much of a user's share of bandwidth is used, to tell when the shares should be others. */
export class SharePressure {
  readonly #clock: Clock;
  #sinceMs: number;
  #bytes = 0;
  #lastSpeed = 0;
  #toldSpeed = 0;
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

  /** Bytes a second lately. Whoever asks tells it to the control plane. */
  tellSpeed(): number {
    const ms = this.#clock.now() - this.#sinceMs;
    this.#toldSpeed = ms < WINDOW_MS_MIN ? this.#lastSpeed : (this.#bytes * 1000) / ms;
    return this.#toldSpeed;
  }

  /** What was told is so much that it has to be told when it is over. */
  get holdsShare(): boolean {
    return this.#toldSpeed > this.#share * LOW;
  }

  /**
   * Whether there is something to tell: the share is nearly used up, which was not said a moment ago, or it is not
   * needed any more.
   *
   * @param share Bytes a second.
   */
  hasNews(share: number): boolean {
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
    const speed = (this.#bytes * 1000) / ms;
    this.#begin(now);
    if (this.holdsShare && speed < this.#toldSpeed * FALL) return true;
    if (speed < share * HIGH || now < this.#quietUntilMs) return false;
    this.#quietUntilMs = now + this.#pauseMs;
    this.#pauseMs = Math.min(PAUSE_MS_MAX, this.#pauseMs * 2);
    return true;
  }

  #begin(now: number): void {
    const ms = now - this.#sinceMs;
    if (ms >= WINDOW_MS_MIN) this.#lastSpeed = (this.#bytes * 1000) / ms;
    this.#sinceMs = now;
    this.#bytes = 0;
  }
}
