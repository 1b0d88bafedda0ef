import { appendFileSync, renameSync, statSync } from 'node:fs';

const BYTES_MAX = 10 * 1024 * 1024;

/**
 * Appends lines to a file; at 10 MiB the file becomes `<path>.1` and a new one begins. A disk that is full or a folder
 * that is gone loses lines, never the program.
 */
export class LogFile {
  readonly path: string;
  #bytes: number;

  constructor(path: string) {
    this.path = path;
    this.#bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }

  write(line: string): void {
    try {
      if (this.#bytes > BYTES_MAX) {
        renameSync(this.path, `${this.path}.1`);
        this.#bytes = 0;
      }
      appendFileSync(this.path, `${line}\n`, { mode: 0o600 });
      this.#bytes += Buffer.byteLength(line) + 1;
    } catch {
      // Nowhere to say it.
    }
  }
}
