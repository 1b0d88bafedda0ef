import { createInterface } from 'node:readline/promises';
import { CliError } from '../cli-error.ts';
import type { Io } from '../io.ts';

/** Asks a person before something is lost; programs and `--yes` are not asked. */
export async function confirm(question: string, io: Io, options: { yes?: boolean; json: boolean }): Promise<void> {
  if (options.yes === true || options.json || io.stdin.isTTY !== true) return;
  const lines = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal: io.signal });
    if (!/^y(?:es)?$/i.test(answer.trim())) throw new CliError('error', 'Nothing was changed');
  } finally {
    lines.close();
  }
}
