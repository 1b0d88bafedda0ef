import { parseArgs } from 'node:util';

/**
 * What can be measured, in the order in which it runs: `idle` wants processes that have done nothing yet, `api` is about
 * the control plane and is compared with nothing.
 */
export const MEASURES = ['idle', 'opening', 'http', 'bulk', 'api'] as const;
export type MeasureName = (typeof MEASURES)[number];

export interface BenchOptions {
  measures: readonly MeasureName[];
  /** Substrings of subject or peer names; empty = all. `direct` always runs, it is the baseline. */
  peers: readonly string[];
  /** Smaller cases, shorter and fewer runs: for a look, not for a release. */
  quick: boolean;
  /** Rounds; every subject runs once in each. */
  repeats: number;
  /** Folder for the JSON and Markdown files. */
  resultsDir: string;
}

export const USAGE = `pnpm bench [-- options]

  --quick           short run: fewer cases, 3 rounds
  --only <list>     measures, comma separated: ${MEASURES.join(', ')}
  --peers <list>    only peers whose name contains one of these, such as direct,nginx,tunnox; without api
  --repeats <n>     rounds (default 5, with --quick 3)
`;

/**
 * Reads the command line.
 *
 * @throws {Error} with a sentence for the user when an option is unknown or a value is not possible
 */
export function parseOptions(args: readonly string[], resultsDir: string): BenchOptions | 'help' {
  const { values } = parseArgs({
    // `pnpm bench -- --quick` hands the separator on.
    args: args.filter((arg) => arg !== '--'),
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      peers: { type: 'string' },
      repeats: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  return {
    measures: values.only === undefined ? MEASURES : parseMeasures(values.only),
    peers: values.peers === undefined ? [] : splitList(values.peers),
    quick: values.quick,
    repeats: values.repeats === undefined ? (values.quick ? 3 : 5) : parseRepeats(values.repeats),
    resultsDir,
  };
}

function parseMeasures(list: string): MeasureName[] {
  const wanted = splitList(list);
  const unknown = wanted.filter((name) => !MEASURES.some((measure) => measure === name));
  if (unknown.length > 0) {
    throw new Error(`Cannot measure '${unknown.join(', ')}': --only takes ${MEASURES.join(', ')}`);
  }
  return MEASURES.filter((measure) => wanted.includes(measure));
}

function parseRepeats(text: string): number {
  const repeats = Number(text);
  if (!Number.isInteger(repeats) || repeats < 1 || repeats > 100) {
    throw new Error(`Cannot repeat '${text}' times: --repeats must be 1 to 100`);
  }
  return repeats;
}

function splitList(list: string): string[] {
  return list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
