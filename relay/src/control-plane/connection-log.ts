import type { Clock } from '../clock.ts';
import type { LoggedTunnel, TunnelLog } from '../upstream/tunnel-log.ts';

export interface ConnectionLogSnapshot {
  /** Ended tunnels that the control plane has not been told of. */
  waiting: number;
  /** Ended tunnels of which nobody was told: there were too many, or the control plane does not take them. */
  dropped: number;
}

/** The oldest tunnels that wait, and how far they go. */
export interface ConnectionBatch {
  tunnels: LoggedTunnel[];
  upTo: number;
}

/** Ended tunnels until they are reported: a ring, in which the oldest give way. Numbers count from the start. */
export class ConnectionLog implements TunnelLog {
  /** The ring is half full: a report should not wait. */
  onHalfFull: () => void = () => {};
  readonly #clock: Clock;
  readonly #ring: (LoggedTunnel | undefined)[];
  #first = 0;
  #next = 0;
  #dropped = 0;

  constructor(clock: Clock, tunnelsMax: number) {
    this.#clock = clock;
    this.#ring = Array.from({ length: tunnelsMax });
  }

  now(): number {
    return this.#clock.now();
  }

  ended(tunnel: LoggedTunnel): void {
    const size = this.#ring.length;
    if (this.#next - this.#first === size) {
      this.#first += 1;
      this.#dropped += 1;
    }
    this.#ring[this.#next % size] = tunnel;
    this.#next += 1;
    if (this.#next - this.#first === Math.ceil(size / 2)) this.onHalfFull();
  }

  /** The oldest `max`; null: none wait. They stay until `confirm()`. */
  oldest(max: number): ConnectionBatch | null {
    const upTo = Math.min(this.#next, this.#first + max);
    if (upTo === this.#first) return null;
    const tunnels: LoggedTunnel[] = [];
    for (let at = this.#first; at < upTo; at += 1) {
      const tunnel = this.#ring[at % this.#ring.length];
      if (tunnel !== undefined) tunnels.push(tunnel);
    }
    return { tunnels, upTo };
  }

  /** These have arrived. Some may have given way meanwhile: they are not missing. */
  confirm({ upTo }: ConnectionBatch): void {
    for (; this.#first < upTo; this.#first += 1) this.#ring[this.#first % this.#ring.length] = undefined;
  }

  /** These will never be taken. */
  giveUp(batch: ConnectionBatch): void {
    this.#dropped += Math.max(0, batch.upTo - this.#first);
    this.confirm(batch);
  }

  snapshot(): ConnectionLogSnapshot {
    return { waiting: this.#next - this.#first, dropped: this.#dropped };
  }
}
