import { type Caller, requireOperator } from './principal.ts';

/** A value with its labels. */
export interface Sample {
  labels: Record<string, string>;
  value: number;
}

export interface MetricFamily {
  /** Such as `tunnox_dns_records`. */
  name: string;
  type: 'gauge' | 'counter';
  help: string;
  samples: Sample[];
}

export interface MetricsRepository {
  collect(): Promise<MetricFamily[]>;
}

/** What Prometheus asks of the control plane. For operators. */
export class MetricsService {
  readonly #repositories: readonly MetricsRepository[];

  constructor(repositories: readonly MetricsRepository[]) {
    this.#repositories = repositories;
  }

  /**
   * The text format, version 0.0.4.
   *
   * @see https://prometheus.io/docs/instrumenting/exposition_formats/
   */
  async read(caller: Caller): Promise<string> {
    requireOperator(caller);
    const families = await Promise.all(this.#repositories.map((repository) => repository.collect()));
    return families.flat().map(toText).join('');
  }
}

function toText({ name, type, help, samples }: MetricFamily): string {
  const lines = samples.map(({ labels, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
