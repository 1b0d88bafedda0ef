import type { Clock, Timer } from '../clock.ts';

/** Most that one turn is worth: half of the largest chunk, so that turns are short. */
const QUANTUM_BYTES_MAX = 32 * 1024;

/** What may be sent at once after a silence: a tenth of a second, so that a short answer is not slowed. */
const BURST_SECONDS = 0.1;

/** Longest wait of one timer; Node's own limit is 2^31 ms. */
const TIMER_MS_MAX = 60_000;

/**
 * Bytes a second, shared fairly by many flows: a token bucket, and deficit round robin between those who wait. A
 * chunk is charged after it was sent: its flow owes the rest and waits until its turns have paid for it. The first turn
 * is given without waiting, so who sends little does not queue behind who sends a lot.
 *
 * @see Shreedhar and Varghese, Efficient Fair Queuing Using Deficit Round Robin, 1995
 */
export class BandwidthBucket {
  readonly #clock: Clock;
  readonly #waiting: BandwidthFlow[] = [];
  #rate: number | null;
  #tokens: number;
  #refilledAtMs: number;
  #timer: Timer | null = null;

  /** @param bytesPerSecond null: no limit; 0: nothing passes */
  constructor(clock: Clock, bytesPerSecond: number | null) {
    this.#clock = clock;
    this.#rate = bytesPerSecond;
    this.#refilledAtMs = clock.now();
    this.#tokens = this.#burst();
  }

  get bytesPerSecond(): number | null {
    return this.#rate;
  }

  /** Takes effect at once, on those who wait too. */
  setRate(bytesPerSecond: number | null): void {
    if (bytesPerSecond === this.#rate) return;
    this.#refill();
    const wasUnlimited = this.#rate === null;
    this.#rate = bytesPerSecond;
    this.#tokens = wasUnlimited ? this.#burst() : Math.min(this.#tokens, this.#burst());
    if (bytesPerSecond === null) {
      this.#tokens = 0;
      this.#disarm();
      for (const flow of this.#waiting.splice(0)) {
        flow.credit = 0;
        flow.resume();
      }
    } else if (this.#waiting.length > 0) {
      this.#arm();
    }
  }

  /** @param onRelease called when a flow that was told to wait may go on */
  flow(onRelease: () => void): BandwidthFlow {
    return new BandwidthFlow(this, onRelease);
  }

  /**
   * Charges bytes that a flow has just sent.
   *
   * @returns true when it may go on, false when it has to wait for its release
   */
  charge(flow: BandwidthFlow, bytes: number): boolean {
    if (this.#rate === null) return true;
    this.#refill();
    if (this.#waiting.length === 0 && this.#tokens > 0) {
      this.#tokens -= bytes;
      return true;
    }
    flow.credit -= bytes;
    if (flow.waiting) return false;
    if (!flow.begun) {
      flow.begun = true;
      this.#giveTurn(flow);
    }
    if (flow.credit > 0) return true;
    flow.waiting = true;
    this.#waiting.push(flow);
    if (this.#timer === null) this.#arm();
    return false;
  }

  /** Takes a flow out: its stream is gone. What it did not use is given back. */
  leave(flow: BandwidthFlow): void {
    if (flow.credit > 0) this.#tokens += flow.credit;
    flow.credit = 0;
    if (!flow.waiting) return;
    flow.waiting = false;
    this.#waiting.splice(this.#waiting.indexOf(flow), 1);
    if (this.#waiting.length === 0) this.#disarm();
  }

  #refill(): void {
    const now = this.#clock.now();
    if (this.#rate !== null) {
      // A clock that was set back gives nothing, it takes nothing away either.
      const gained = (Math.max(0, now - this.#refilledAtMs) * this.#rate) / 1000;
      this.#tokens = Math.min(this.#burst(), this.#tokens + gained);
    }
    this.#refilledAtMs = now;
  }

  #burst(): number {
    return (this.#rate ?? 0) * BURST_SECONDS;
  }

  #quantum(): number {
    return Math.min(QUANTUM_BYTES_MAX, Math.max(1, this.#burst()));
  }

  #giveTurn(flow: BandwidthFlow): void {
    const quantum = this.#quantum();
    this.#tokens -= quantum;
    flow.credit += quantum;
  }

  /** Wakes up when a turn can be given. */
  #arm(): void {
    this.#disarm();
    if (this.#rate === null || this.#rate === 0) return;
    const delayMs = Math.max(1, Math.ceil(((this.#quantum() - this.#tokens) * 1000) / this.#rate));
    this.#timer = this.#clock.timer(Math.min(delayMs, TIMER_MS_MAX), () => {
      this.#timer = null;
      this.#giveTurns();
    });
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #giveTurns(): void {
    this.#refill();
    while (this.#tokens > 0) {
      const flow = this.#waiting.shift();
      if (flow === undefined) return;
      this.#giveTurn(flow);
      if (flow.credit > 0) flow.resume();
      else this.#waiting.push(flow);
    }
    if (this.#waiting.length > 0 && this.#timer === null) this.#arm();
  }
}

/** One direction of one stream in a bucket. */
export class BandwidthFlow {
  /** Set by the bucket. */
  waiting = false;
  /** Has had its first turn. Set by the bucket. */
  begun = false;
  /** Bytes paid for and not sent; negative: sent and owed. Set by the bucket. */
  credit = 0;
  readonly #bucket: BandwidthBucket;
  readonly #onRelease: () => void;

  constructor(bucket: BandwidthBucket, onRelease: () => void) {
    this.#bucket = bucket;
    this.#onRelease = onRelease;
  }

  /** @returns false when the flow has to wait for its release */
  take(bytes: number): boolean {
    return this.#bucket.charge(this, bytes);
  }

  leave(): void {
    this.#bucket.leave(this);
  }

  /** Called by the bucket. */
  resume(): void {
    this.waiting = false;
    this.#onRelease();
  }
}
