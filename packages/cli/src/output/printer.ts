import type { CliEvent } from './cli-event.ts';

/** Shows events to a person or a program. */
export interface Printer {
  print(event: CliEvent): void;
  /** Leaves the terminal as it was found; resolves when all is written. */
  close(): Promise<void>;
}
