import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseOptions, USAGE } from './options.ts';
import { ProcessGroup } from './process-group.ts';
import { runBench } from './run-bench.ts';

/** Entry of `pnpm bench`: options in, a JSON and a Markdown file and the ratios out. */
const resultsDir = fileURLToPath(new URL('../results/', import.meta.url));
const options = readOptions();
const group = new ProcessGroup();
let stopping = false;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopping) return;
    stopping = true;
    process.stderr.write('bench: stopping\n');
    void group.stop().then(() => process.exit(130));
  });
}

try {
  const result = await runBench(options, group, (line) => process.stderr.write(`${line}\n`));
  await mkdir(options.resultsDir, { recursive: true });
  const name = result.report.startedAt.replaceAll(/[:.]/g, '-');
  const path = join(options.resultsDir, name);
  await writeFile(`${path}.json`, `${JSON.stringify(result.report, null, 2)}\n`);
  await writeFile(`${path}.md`, result.markdown);
  process.stdout.write(`${result.ratioLines.join('\n')}\n\n${path}.md\n`);
} catch (error) {
  if (!stopping) throw error;
} finally {
  await group.stop();
}

function readOptions() {
  try {
    const parsed = parseOptions(process.argv.slice(2), resultsDir);
    if (parsed !== 'help') return parsed;
    process.stdout.write(USAGE);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}
