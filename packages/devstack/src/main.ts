// The supervisor of the embedded platform; started by scripts/start.js.
import { ConfigError } from '@tunnox/config/config-error';
import { parseStackConfig, type StackConfig } from './stack-config.ts';
import { explainFileError, StackError } from './stack-error.ts';
import { Supervisor } from './supervisor.ts';
import { welcome } from './welcome.ts';

async function main(): Promise<void> {
  const startedAt = performance.now();
  const config = readConfig();
  const supervisor = new Supervisor({ print: say, owners: ownersOf(process.argv[2]) }, config);
  const stop = (): void => {
    supervisor.stop().then(
      () => process.exit(0),
      (error: unknown) => fail(explainFileError(error, config.home)),
    );
  };
  for (const event of ['SIGTERM', 'SIGINT', 'SIGHUP', 'disconnect'] as const) process.once(event as 'SIGTERM', stop);
  try {
    const started = await supervisor.start();
    say(welcome(started, config, performance.now() - startedAt, process.cwd()));
  } catch (error) {
    await supervisor.stop();
    fail(explainFileError(error, config.home));
  }
}

function readConfig(): StackConfig {
  try {
    return parseStackConfig(process.env, process.cwd());
  } catch (error) {
    fail(error);
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function fail(error: unknown): never {
  const isForPeople = error instanceof StackError || error instanceof ConfigError;
  const text = error instanceof Error ? (isForPeople ? error.message : error.stack) : String(error);
  // A ConfigError says by itself that this is no start.
  const heading = error instanceof ConfigError ? '' : 'Tunnox cannot start.\n';
  process.stderr.write(`\n${heading}${text}\n`);
  process.exit(1);
}

/** Pids joined by commas. */
function ownersOf(argument: string | undefined): number[] {
  return (argument ?? '').split(',').filter(Boolean).map(Number);
}

await main();
