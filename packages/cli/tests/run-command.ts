import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { EventQueue } from '@tunnox/testing/event-queue';
import { runCli } from 'tunnox/run-cli';

export interface PrintedEvent {
  event: string;
  [member: string]: unknown;
}

export interface RunningCommand {
  /** Exit code. */
  exit: Promise<number>;
  /** Lines of `--json`. */
  events: EventQueue<PrintedEvent>;
  event(name: string): Promise<PrintedEvent>;
  /** All of it, at the end. */
  stdout: Promise<string>;
  stderr: Promise<string>;
  /** As Ctrl-C. */
  stop(): void;
}

export async function configDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tunnox-cli-'));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

/** Runs a command within this process. */
export function command(t: TestContext, args: string[], env: Record<string, string>, stdin = ''): RunningCommand {
  const out = new PassThrough();
  const error = new PassThrough();
  const [shown, parsed] = [new PassThrough(), new PassThrough()];
  out.pipe(shown);
  out.pipe(parsed);
  const events = new EventQueue<PrintedEvent>();
  if (args.includes('--json')) {
    createInterface({ input: parsed }).on('line', (line) => events.push(JSON.parse(line) as PrintedEvent));
  } else {
    parsed.resume();
  }
  const stop = new AbortController();
  const stdout = text(shown);
  const stderr = text(error);
  const exit = runCli(args, { stdin: Readable.from([stdin]), stdout: out, stderr: error, env, signal: stop.signal });
  void exit.then(() => {
    out.end();
    error.end();
  });
  t.after(async () => {
    stop.abort();
    await exit;
  });
  return {
    exit,
    events,
    event: (name) => events.next((each) => each.event === name),
    stdout,
    stderr,
    stop: () => stop.abort(),
  };
}
