import { runCli } from './run-cli.ts';

const stop = new AbortController();
let asked = 0;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    asked += 1;
    stop.abort();
    // Whoever asks twice does not want to wait for goodbyes.
    if (asked > 1) process.exit(1);
  });
}
// Nobody reads any more.
process.stdout.on('error', () => stop.abort());
process.stderr.on('error', () => {});

const { stdin, stdout, stderr, env } = process;
// Idle connections to the server must not keep the process.
process.exit(await runCli(process.argv.slice(2), { stdin, stdout, stderr, env, signal: stop.signal }));
