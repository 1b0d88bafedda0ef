// The supervisor of the embedded platform; started by scripts/start.js.
import { relative } from 'node:path';
import { ConfigError } from '@tunnox/config/config-error';
import { parseStackConfig, type StackConfig } from './stack-config.ts';
import { explainFileError, StackError } from './stack-error.ts';
import { type Stack, stackFilePath } from './stack-file.ts';
import { Supervisor } from './supervisor.ts';

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
    const stack = await supervisor.start();
    say(welcome(stack, config, performance.now() - startedAt));
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
  process.stderr.write(`\nTunnox cannot start.\n${text}\n`);
  process.exit(1);
}

/** Pids joined by commas. */
function ownersOf(argument: string | undefined): number[] {
  return (argument ?? '').split(',').filter(Boolean).map(Number);
}

function welcome(stack: Stack, { home }: StackConfig, tookMs: number): string {
  const [relay1, relay2] = stack.relays;
  const demo =
    stack.demo_url === null
      ? ''
      : `
  Demo            ${stack.demo_url}
  through relay 2 http://${new URL(stack.demo_url).hostname}:${relay2?.http.split(':')[1]}/
`;
  return `
Tunnox is ready (${(tookMs / 1000).toFixed(1)} s).
${demo}
  Publish your own service, for example on port 3000 (in another terminal, in this folder):

    export TUNNOX_SERVER=${stack.api_url}
    node_modules/.bin/tunnox http 3000

  Under a name of your choice, with the API key of your local tenant:

    export TUNNOX_API_KEY=${stack.api_key}
    node_modules/.bin/tunnox http 3000 --subdomain myapp

  API             ${stack.api_url}/api/v1
  HTTPS           https://*.${stack.base_domain}:${relay1?.https.split(':')[1]}/ with the CA in ${relative(process.cwd(), stack.ca_file)}
  Everything else ${relative(process.cwd(), stackFilePath(home))}
  Logs            ${relative(process.cwd(), home)}/logs

  Ctrl-C stops everything; what was made stays for the next start.
`;
}

await main();
