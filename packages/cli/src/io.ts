import type { Readable, Writable } from 'node:stream';

/** A stream that may be a terminal. */
export type Terminal<T> = T & { isTTY?: boolean; columns?: number };

/** The outside of a command: nothing else of the process is touched. */
export interface Io {
  stdin: Terminal<Readable> & { setRawMode?: (on: boolean) => unknown };
  stdout: Terminal<Writable>;
  stderr: Terminal<Writable>;
  env: Record<string, string | undefined>;
  /** Aborts on Ctrl-C and SIGTERM. */
  signal: AbortSignal;
}
