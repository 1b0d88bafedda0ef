import type { ApiReport } from './api/measure-api.ts';
import type { Machine } from './machine.ts';
import type { Measure, Metric } from './measures/measure.ts';
import type { MeasureName } from './options.ts';
import { DIRECT } from './peers/direct.ts';
import type { Row } from './run-rounds.ts';
import { ratios, summarize, type Summary } from './stats.ts';

/** Everything a run found out; what is written as JSON. */
export interface Report {
  startedAt: string;
  seconds: number;
  machine: Machine;
  settings: { quick: boolean; repeats: number; httpGenerator: string };
  peers: { name: string; version: string }[];
  /** Peers that were not measured, and why. */
  missing: { name: string; reason: string }[];
  rows: Row[];
  /** Absent when it was not measured. */
  api?: ApiReport;
}

/** How a measure is shown: its titles and its figures' units. */
export type Shown = Pick<Measure, 'name' | 'title' | 'metrics' | 'cpuPer'>;

export const IDLE_SHOWN: Shown = {
  name: 'idle',
  title: 'Idle memory',
  metrics: [
    { key: 'relay', unit: 'KB', better: 'less' },
    { key: 'visitor relay', unit: 'KB', better: 'less' },
    { key: 'agent', unit: 'KB', better: 'less' },
    { key: 'source agent', unit: 'KB', better: 'less' },
    { key: 'proxy', unit: 'KB', better: 'less' },
  ],
  cpuPer: '',
};

/** The report as Markdown: one table a measure, subjects down, cases across. */
export function toMarkdown(report: Report, measures: readonly Shown[]): string {
  const { machine } = report;
  const head = [
    `# Bench of ${report.startedAt}`,
    '',
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ${machine.kernel}, Node ${machine.node}, ` +
      `load ${machine.load} before the run. ${report.settings.repeats} rounds, subjects interleaved` +
      `${report.settings.quick ? ', quick' : ''}; HTTP load by ${report.settings.httpGenerator}. ` +
      `Everything runs on this machine and shares its cores.`,
    '',
    'A cell is the median [lowest – highest] of the rounds; in bold the ratio to direct, taken round by round. ' +
      'Topology a: visitor, relay, agent, target. b: the same over two relays and the bridge. c: from agent to agent.',
    '',
    `Peers: ${report.peers.map(({ name, version }) => `${name} (${version})`).join('; ')}.`,
    `Missing: ${report.missing.map(({ name, reason }) => `${name} (${reason})`).join('; ') || 'none'}.`,
  ];
  const tables = measures.flatMap((measure) => {
    const rows = report.rows.filter((row) => row.measure === measure.name);
    return rows.length === 0 ? [] : measureTable(measure, rows);
  });
  return `${[...head, ...tables].join('\n')}\n`;
}

function measureTable(measure: Shown, rows: readonly Row[]): string[] {
  const cases = [...new Set(rows.map((row) => row.case))];
  const subjects = [...new Set(rows.map((row) => row.subject))];
  const lines = ['', `## ${measure.title}`, ''];
  lines.push(`| | ${cases.join(' | ')} |`, `| --- |${' --- |'.repeat(cases.length)}`);
  for (const subject of subjects) {
    const cells = cases.map((name) => cell(measure, rows, subject, name));
    lines.push(`| ${subject} | ${cells.join(' | ')} |`);
  }
  const failures = rows.flatMap((row) =>
    [...new Set(row.failures)].map((failure) => `- ${row.subject}, ${row.case}: ${failure}`),
  );
  return failures.length === 0 ? lines : [...lines, '', 'Failed rounds:', '', ...failures];
}

function cell(measure: Shown, rows: readonly Row[], subject: string, name: string): string {
  const row = rows.find((one) => one.subject === subject && one.case === name);
  if (row === undefined) return '–';
  const [first, ...others] = measure.metrics;
  const parts: string[] = [];
  const ratio = ratioTo(baselineOf(rows, name), row, first);
  if (ratio !== null) parts.push(`**${ratio.median.toFixed(2)}**`);
  for (const metric of [first, ...others]) {
    const found = summarize(values(row, metric.key));
    if (found.count > 0) parts.push(`${measure.name === 'idle' ? `${metric.key} ` : ''}${withUnit(found, metric)}`);
  }
  parts.push(...cpuParts(row, measure.cpuPer));
  return parts.length === 0 ? 'failed' : parts.join('<br>');
}

function baselineOf(rows: readonly Row[], name: string): Row | undefined {
  return rows.find((row) => row.subject === DIRECT && row.case === name);
}

/** Ratio of the first metric to direct; null without a baseline, and for the baseline itself. */
export function ratioTo(baseline: Row | undefined, row: Row, metric: Metric): Summary | null {
  if (baseline === undefined || row.subject === DIRECT) return null;
  const found = summarize(ratios(values(row, metric.key), values(baseline, metric.key)));
  return found.count === 0 ? null : found;
}

function values(row: Row, key: string): number[] {
  return row.rounds.map((figures) => figures?.[key] ?? Number.NaN);
}

function cpuParts(row: Row, per: string): string[] {
  const roles = new Set(row.rounds.flatMap((figures) => Object.keys(figures ?? {})));
  return [...roles]
    .filter((key) => key.startsWith('cpu '))
    .map((key) => `${key} ${number(summarize(values(row, key)).median)} s / ${per}`);
}

function withUnit({ median, min, max }: Summary, { key, unit }: Metric): string {
  const name = key === 'rate' || unit === 'KB' ? '' : `${key} `;
  return `${name}${number(median)} ${unit} [${number(min)} – ${number(max)}]`;
}

/** Three digits are more than a bench on a shared machine can promise. */
export function number(value: number): string {
  if (Number.isNaN(value)) return '–';
  if (value >= 100) return Math.round(value).toLocaleString('en').replaceAll(',', ' ');
  return Number(value.toPrecision(3)).toString();
}

/** The lines for the terminal: ratios only. */
export function toRatioLines(report: Report, measures: readonly Shown[]): string[] {
  const lines: string[] = [];
  for (const measure of measures) {
    const rows = report.rows.filter((row) => row.measure === measure.name);
    if (rows.length === 0) continue;
    lines.push('', measure.title);
    for (const name of new Set(rows.map((row) => row.case))) {
      lines.push(`  ${name}`);
      for (const row of rows.filter((one) => one.case === name)) lines.push(`    ${ratioLine(measure, rows, row)}`);
    }
  }
  return lines;
}

function ratioLine(measure: Shown, rows: readonly Row[], row: Row): string {
  const [metric] = measure.metrics;
  const ratio = ratioTo(baselineOf(rows, row.case), row, metric);
  const figures = measure.metrics
    .map((one) => ({ one, found: summarize(values(row, one.key)) }))
    .filter(({ found }) => found.count > 0)
    .map(({ one, found }) => `${one.key === 'rate' ? '' : `${one.key} `}${number(found.median)} ${one.unit}`);
  const ratioText =
    ratio === null ? '' : `× ${ratio.median.toFixed(2)} [${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)}]`;
  return `${row.subject.padEnd(22)} ${ratioText.padEnd(22)} ${figures.join(', ') || `failed: ${row.failures[0] ?? ''}`}`;
}

/** Measures by name, for choosing what a report shows. */
export function shownOf(measures: readonly Shown[], wanted: readonly MeasureName[]): Shown[] {
  return measures.filter((measure) => wanted.includes(measure.name));
}
