import type { Clock, Timer } from '../clock.ts';

/** Something that is called when its time is up. It sets `deadlineMs` anew itself; Infinity = never. */
export interface Timed {
  deadlineMs: number;
  onDeadline(nowMs: number): void;
}

/**
 * One timer for all time-outs: goes over its items twice a second and calls those that are due. To set a time-out is
 * to write a number, so the hot path has no timers, and 10 000 connections cost well under a millisecond a round.
 * Time-outs are late by up to one round.
 */
export class DeadlineSweep {
  /** Time of the last round: good enough to count time-outs from. */
  nowMs: number;
  readonly #clock: Clock;
  readonly #items = new Set<Timed>();
  #timer: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.nowMs = clock.now();
  }

  start(): void {
    if (this.#timer !== null) return;
    this.nowMs = this.#clock.now();
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  add(item: Timed): void {
    this.#items.add(item);
  }

  delete(item: Timed): void {
    this.#items.delete(item);
  }

  #arm(): void {
    this.#timer = this.#clock.timer(ROUND_MS, () => {
      this.#arm();
      this.#round();
    });
  }

  #round(): void {
    this.nowMs = this.#clock.now();
    for (const item of this.#items) {
      if (item.deadlineMs <= this.nowMs) item.onDeadline(this.nowMs);
    }
  }
}

const ROUND_MS = 500;
