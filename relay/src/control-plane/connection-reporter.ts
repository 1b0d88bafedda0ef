import type { ConnectionsRequest } from '@tunnox/domain/relay-api';
import type { Logger } from '@tunnox/observability/logger';
import type { Clock, Timer } from '../clock.ts';
import type { LoggedTunnel } from '../upstream/tunnel-log.ts';
import type { ConnectionLog } from './connection-log.ts';
import { ControlPlaneError } from './control-plane-error.ts';
import type { RelayApi } from './relay-api.ts';

export interface ConnectionReporterDeps {
  api: Pick<RelayApi, 'connections'>;
  connections: ConnectionLog;
  clock: Clock;
  log: Logger;
}

const REPORT_MS = 10_000;
const BATCH = 500;

/**
 * Tells the control plane of tunnels that have ended. What does not arrive is told again; the log keeps each tunnel once
 * by its id. Unlike usage it is not kept on disk: visitors' addresses stay in memory.
 */
export class ConnectionReporter {
  readonly #deps: ConnectionReporterDeps;
  #timer: Timer | null = null;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  #refused = false;

  constructor(deps: ConnectionReporterDeps) {
    this.#deps = deps;
    deps.connections.onHalfFull = () => this.#soon();
  }

  start(): void {
    if (this.#timer === null && !this.#stopped) this.#schedule(REPORT_MS);
  }

  /** Reports what is there, as far as somebody listens. */
  async stop(): Promise<void> {
    if (!this.#stopped) {
      this.cut();
      this.#running = this.#running.then(() => this.#report());
    }
    return this.#running;
  }

  /** Ends at once. */
  cut(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #soon(): void {
    if (this.#timer !== null && !this.#stopped) this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#deps.clock.timer(delayMs, () => {
      this.#running = this.#running.then(() => this.#report());
      void this.#running.then(() => {
        if (!this.#stopped) this.#schedule(REPORT_MS);
      });
    });
  }

  /** Never rejects. */
  async #report(): Promise<void> {
    const { api, connections, log } = this.#deps;
    for (let batch = connections.oldest(BATCH); batch !== null; batch = connections.oldest(BATCH)) {
      try {
        await api.connections({ connections: batch.tunnels.filter(isSound).map(toLine) });
        connections.confirm(batch);
      } catch (error) {
        if (!(error instanceof ControlPlaneError) || error.retryable) return;
        connections.giveUp(batch);
        // A control plane of the version before has no such log.
        if (!this.#refused) log.warn({ err: error }, 'The control plane does not take the connection log');
        this.#refused = true;
      }
    }
  }
}

const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

/** A peer of another make may give a tunnel any id; one bad line must not cost the others. */
function isSound({ tunnelId, visitor }: LoggedTunnel): boolean {
  return ULID.test(tunnelId) && /^\P{Cc}+$/u.test(visitor);
}

function toLine(tunnel: LoggedTunnel): ConnectionsRequest['connections'][number] {
  const { startedAtMs, endedAtMs, meter } = tunnel;
  return {
    tunnel_id: tunnel.tunnelId,
    binding_id: tunnel.bindingId,
    client_id: tunnel.clientId,
    user_id: tunnel.userId,
    visitor: tunnel.visitor,
    started_at: new Date(startedAtMs).toISOString(),
    duration_ms: Math.max(0, Math.round(endedAtMs - startedAtMs)),
    bytes_in: meter.bytesIn,
    bytes_out: meter.bytesOut,
    close_reason: tunnel.closeReason,
  };
}
