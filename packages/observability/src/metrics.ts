import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';

/** One measured value with its labels. */
export interface Sample {
  labels?: Record<string, string>;
  value: number;
}

export interface MetricsOptions {
  /** Stands before every name, such as `tunnox_`. */
  prefix: string;
  /** Adds CPU, memory, handles and event loop lag of this process. */
  processMetrics: boolean;
}

/**
 * A program's metrics. Numbers that a part keeps for itself are read at the time of the scrape, so that the hot path
 * pays a plain addition and nothing else.
 */
export class Metrics {
  /** Content type of `text()`. */
  static readonly contentType: string = Registry.PROMETHEUS_CONTENT_TYPE;

  readonly #registry = new Registry();
  readonly #prefix: string;

  constructor(options: MetricsOptions) {
    this.#prefix = options.prefix;
    if (options.processMetrics) collectDefaultMetrics({ register: this.#registry, prefix: options.prefix });
  }

  /** A value that rises and falls, read at each scrape. */
  gauge(name: string, help: string, labelNames: readonly string[], read: () => Iterable<Sample>): void {
    const gauge: Gauge = new Gauge({
      name: this.#prefix + name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect: () => {
        gauge.reset();
        for (const { labels, value } of read()) gauge.set(labels ?? {}, value);
      },
    });
  }

  /** A running total that is kept elsewhere and read at each scrape; it never falls. */
  counter(name: string, help: string, labelNames: readonly string[], read: () => Iterable<Sample>): void {
    const counter: Counter = new Counter({
      name: this.#prefix + name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        for (const { labels, value } of read()) counter.inc(labels ?? {}, value);
      },
    });
  }

  /** All metrics in the Prometheus text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
