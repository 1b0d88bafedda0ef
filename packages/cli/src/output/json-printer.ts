import { finished } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import type { CliEvent } from './cli-event.ts';
import type { Printer } from './printer.ts';

/** One event a line, nothing else. */
export class JsonPrinter implements Printer {
  readonly #out: Writable;

  constructor(out: Writable) {
    this.#out = out;
  }

  print(event: CliEvent): void {
    this.#out.write(`${JSON.stringify(event)}\n`);
  }

  close(): Promise<void> {
    return flushed(this.#out);
  }
}

/** Resolves when what was written is with the reader, or the reader has gone. */
export async function flushed(out: Writable): Promise<void> {
  if (out.destroyed || out.writableLength === 0) return;
  await Promise.race([
    new Promise<void>((resolve) => out.write('', () => resolve())),
    finished(out, { readable: false }).catch(() => {}),
  ]);
}
