import type { Duplex } from 'node:stream';
import type { Clock } from '../clock.ts';

export interface ConnectionGateOptions {
  /** Connections that have not shown who they are, in all and from one address. */
  waitingMax: number;
  waitingPerAddressMax: number;
}

export interface ConnectionGateSnapshot {
  waiting: number;
  /** Ended for their age, since the start. */
  timedOut: number;
  /** Ended to make room for newer ones, since the start. */
  pushedOut: number;
}

/** A connection that has not yet shown who it is. */
export interface Waiting {
  /** Gives it this much time from now. */
  within(ms: number): void;
  /** It has shown who it is, or is gone: it counts no more. */
  release(): void;
}

interface Entry {
  socket: Duplex;
  address: string;
  deadlineMs: number;
}

const SWEEP_MS = 1000;

/**
 * Bounds what strangers cost: connections wait here until they have shown who they are. When there are too many the
 * oldest is ended and not the newest turned away, since an honest one takes milliseconds: a flood that says nothing
 * pushes out itself. One timer for all.
 */
export class ConnectionGate {
  readonly #clock: Clock;
  readonly #options: ConnectionGateOptions;
  /** In the order of arrival. */
  readonly #entries = new Set<Entry>();
  readonly #byAddress = new Map<string, Set<Entry>>();
  #sweeping = false;
  #timedOut = 0;
  #pushedOut = 0;

  constructor(clock: Clock, options: ConnectionGateOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** @param address Without port. */
  enter(socket: Duplex, address: string, withinMs: number): Waiting {
    const entry: Entry = { socket, address, deadlineMs: this.#clock.now() + withinMs };
    let ofAddress = this.#byAddress.get(address);
    if (ofAddress === undefined) this.#byAddress.set(address, (ofAddress = new Set()));
    ofAddress.add(entry);
    this.#entries.add(entry);
    if (ofAddress.size > this.#options.waitingPerAddressMax) this.#pushOut(ofAddress);
    else if (this.#entries.size > this.#options.waitingMax) this.#pushOut(this.#entries);
    const release = (): void => this.#remove(entry);
    socket.once('close', release);
    this.#sweepLater();
    return {
      within: (ms) => {
        entry.deadlineMs = this.#clock.now() + ms;
      },
      release: () => {
        socket.off('close', release);
        release();
      },
    };
  }

  /** Ends everything that waits. */
  close(): void {
    for (const entry of [...this.#entries]) this.#end(entry);
  }

  snapshot(): ConnectionGateSnapshot {
    return { waiting: this.#entries.size, timedOut: this.#timedOut, pushedOut: this.#pushedOut };
  }

  #pushOut(from: Set<Entry>): void {
    for (const oldest of from) {
      this.#pushedOut += 1;
      this.#end(oldest);
      return;
    }
  }

  #end(entry: Entry): void {
    this.#remove(entry);
    entry.socket.destroy();
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    const ofAddress = this.#byAddress.get(entry.address);
    ofAddress?.delete(entry);
    if (ofAddress?.size === 0) this.#byAddress.delete(entry.address);
  }

  #sweepLater(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    this.#clock.timer(SWEEP_MS, () => {
      this.#sweeping = false;
      this.#sweep();
      if (this.#entries.size > 0) this.#sweepLater();
    });
  }

  #sweep(): void {
    const now = this.#clock.now();
    for (const entry of this.#entries) {
      if (entry.deadlineMs > now) continue;
      this.#timedOut += 1;
      this.#end(entry);
    }
  }
}
