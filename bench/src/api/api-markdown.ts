import { number } from '../report.ts';
import { summarize, type Summary } from '../stats.ts';
import type { ApiFigures, ApiReport, ApiRow } from './measure-api.ts';

/** The part `api` of the report: calls down, callers at once across. */
export function apiMarkdown({ rows, changes, mappings, load }: ApiReport): string {
  const levels = [...new Set(rows.map((row) => row.concurrency))];
  const calls = [...new Set(rows.map((row) => row.call))];
  const lines = [
    '',
    '## Management API',
    '',
    `Through workerd on Postgres with everything flushed to the disk, by one API key of a user with ${mappings} ` +
      `mappings; the rate limit is raised out of the way, but counts. Load ${load.before} before, ${load.after} at the ` +
      `end. A cell is the median of the rounds: requests a second [lowest – highest], p50, p99.`,
    '',
    `| | ${levels.map((level) => `${level} at a time`).join(' | ')} |`,
    `| --- |${' --- |'.repeat(levels.length)}`,
  ];
  for (const call of calls) {
    const cells = levels.map((level) => cell(rows.find((row) => row.call === call && row.concurrency === level)));
    lines.push(`| ${call} | ${cells.join(' | ')} |`);
  }
  const failures = rows.flatMap((row) =>
    row.failures.map((failure) => `- ${row.call}, ${row.concurrency}: ${failure}`),
  );
  if (failures.length > 0) lines.push('', 'Failed rounds:', '', ...new Set(failures));
  lines.push(
    '',
    'From the request to the change in effect at an agent (one relay, one agent, all on this machine):',
    '',
    '| change | applied p50 | p99 | API answered p50 | p99 | measured |',
    '| --- | --- | --- | --- | --- | --- |',
    ...changes.map(
      ({ change, count, applied, answered }) =>
        `| ${change} | ${ms(applied.p50Ms)} | ${ms(applied.p99Ms)} | ${ms(answered.p50Ms)} | ${ms(answered.p99Ms)} | ${count} |`,
    ),
  );
  return `${lines.join('\n')}\n`;
}

/** For the terminal. */
export function apiLines({ rows, changes }: ApiReport): string[] {
  return [
    '',
    'Management API',
    ...rows.map((row) => `  ${row.call}, ${row.concurrency} at a time: ${cell(row)}`),
    ...changes.map(
      ({ change, applied }) => `  ${change} applied at the agent: p50 ${ms(applied.p50Ms)}, p99 ${ms(applied.p99Ms)}`,
    ),
  ];
}

function cell(row: ApiRow | undefined): string {
  if (row === undefined) return '–';
  const of = (key: keyof ApiFigures): Summary => summarize(row.rounds.map((round) => round?.[key] ?? Number.NaN));
  const rate = of('perS');
  if (rate.count === 0) return 'failed';
  const spread = `${number(rate.median)}/s [${number(rate.min)} – ${number(rate.max)}]`;
  return `${spread}, p50 ${ms(of('p50Ms').median)}, p99 ${ms(of('p99Ms').median)}`;
}

function ms(value: number): string {
  return `${number(value)} ms`;
}
