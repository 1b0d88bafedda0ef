import type { MeasureName } from '../options.ts';
import type { ProcessGroup } from '../process-group.ts';
import type { Subject } from '../subject.ts';

/** Figures of one run of one case, by metric name. CPU figures are added by the runner as `cpu <role>`. */
export type Figures = Record<string, number>;

export interface Metric {
  key: string;
  unit: string;
  better: 'more' | 'less';
}

/** Something that is run against every subject in each round. */
export interface Case {
  name: string;
  accepts(subject: Subject): boolean;
  /**
   * Runs once. `work` is how much was done in the unit of the measure's CPU figure (GB, 10 000 requests …).
   *
   * @param first True in the first round: the time for a warm-up.
   */
  run(context: CaseContext): Promise<{ figures: Figures; work: number }>;
}

export interface CaseContext {
  group: ProcessGroup;
  subject: Subject;
  first: boolean;
  /** To be called when the clock starts: processor time is counted from here. */
  readonly started: () => Promise<void>;
}

export interface Measure {
  name: MeasureName;
  title: string;
  /** The first is the one that is compared with the baseline. */
  metrics: readonly [Metric, ...Metric[]];
  /** What `cpu` figures are for, such as `GB`. */
  cpuPer: string;
  cases(): Case[];
}
