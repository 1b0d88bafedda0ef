/** Plain counters: the hot path adds, whoever shows them reads. */
export class ProxyMetrics {
  /** Final answers by first digit of the status; index 0 is not used. */
  readonly requestsByClass: number[] = [0, 0, 0, 0, 0, 0];
  connectionsTotal = 0;
  connectionsActive = 0;
  /** Turned away because the relay was full. */
  connectionsRefused = 0;
  /** Connections that were changed to another protocol (WebSocket). */
  upgradesTotal = 0;
  upgradesActive = 0;
  tunnelsOpened = 0;
  tunnelsReused = 0;
  /** Requests sent again through a fresh tunnel. */
  replays = 0;
  /** Requests that could not be read. */
  malformed = 0;
  /** Connections ended by one of our time-outs. */
  timeouts = 0;
  /** Answers that ended before their end. */
  truncated = 0;

  countAnswer(status: number): void {
    const statusClass = Math.min(5, Math.floor(status / 100));
    this.requestsByClass[statusClass] = (this.requestsByClass[statusClass] ?? 0) + 1;
  }

  snapshot(): ProxySnapshot {
    const { requestsByClass, ...counters } = this;
    return { ...counters, requestsByClass: [...requestsByClass] };
  }
}

export type ProxySnapshot = Omit<ProxyMetrics, 'snapshot' | 'countAnswer'>;
