import type { RelayToNodeMessage } from '@tunnox/domain/relay-api';
import type { Clock, Timer } from '../clock.ts';

export interface LoadReading {
  clients: number;
  tunnels: number;
  /** CPU time of this process in microseconds since its start. */
  cpuUs: number;
  memoryBytes: number;
  /** Bytes of all tunnels since the start. */
  bytes: number;
}

export interface LoadReporterDeps {
  clock: Clock;
  read: () => LoadReading;
  send: (message: Extract<RelayToNodeMessage, { type: 'load' }>) => void;
}

const REPORT_MS = 60_000;
const LOOK_MS = 5000;

/** Tells the control plane how busy this relay is: every minute, and at once when it has changed a lot. */
export class LoadReporter {
  readonly #deps: LoadReporterDeps;
  #timer: Timer | null = null;
  #last: LoadReading;
  #lastAtMs: number;
  #told = { atMs: Number.NEGATIVE_INFINITY, clients: 0, tunnels: 0, cpu: 0, bandwidth: 0 };

  constructor(deps: LoadReporterDeps) {
    this.#deps = deps;
    this.#last = deps.read();
    this.#lastAtMs = deps.clock.now();
  }

  start(): void {
    this.#timer ??= this.#deps.clock.timer(LOOK_MS, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #look(): void {
    this.#timer = null;
    const { clock, read, send } = this.#deps;
    const now = clock.now();
    const seconds = Math.max(0.001, (now - this.#lastAtMs) / 1000);
    const reading = read();
    const cpu = Math.min(1, Math.max(0, (reading.cpuUs - this.#last.cpuUs) / 1e6 / seconds));
    const bandwidth = Math.max(0, (reading.bytes - this.#last.bytes) / seconds);
    const { clients, tunnels } = reading;
    this.#last = reading;
    this.#lastAtMs = now;
    const told = this.#told;
    const jumped =
      Math.abs(cpu - told.cpu) > 0.25 ||
      isJump(clients, told.clients, 10) ||
      isJump(tunnels, told.tunnels, 50) ||
      isJump(bandwidth, told.bandwidth, 1_000_000);
    if (jumped || now - told.atMs >= REPORT_MS) {
      this.#told = { atMs: now, clients, tunnels, cpu, bandwidth };
      const memory_bytes = reading.memoryBytes;
      send({ type: 'load', clients, tunnels, cpu, memory_bytes, bandwidth_bytes_per_s: bandwidth });
    }
    this.start();
  }
}

/** Doubled or halved, and by more than `least`. */
function isJump(now: number, before: number, least: number): boolean {
  return Math.abs(now - before) > Math.max(least, before / 2);
}
