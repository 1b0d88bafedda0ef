import type { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import pico from 'picocolors';
import type { Terminal } from '../io.ts';
import type { CliEvent } from './cli-event.ts';
import { flushed } from './json-printer.ts';
import { eventLines } from './plain-printer.ts';
import type { Printer } from './printer.ts';
import { type Status, statusLines } from './status.ts';

const REFRESH_MS = 1_000;
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_LINE_END = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** A status view on a terminal that is drawn over itself, each frame in one write so that nothing flickers. */
export class LivePrinter implements Printer {
  readonly #out: Terminal<Writable>;
  readonly #colors: ReturnType<typeof pico.createColors>;
  readonly #status: () => Status;
  readonly #timer: NodeJS.Timeout;
  #rowsDrawn = 0;
  #closed = false;

  constructor(out: Terminal<Writable>, useColors: boolean, status: () => Status) {
    this.#out = out;
    this.#colors = pico.createColors(useColors);
    this.#status = status;
    this.#timer = setInterval(() => this.#draw(), REFRESH_MS);
    out.write(HIDE_CURSOR);
    this.#draw();
  }

  print(event: CliEvent): void {
    this.#draw();
    // The last word stays below the view.
    if (event.event !== 'error' && event.event !== 'replaced') return;
    this.#out.write(`\n${eventLines(event, this.#colors).join('\n')}\n`);
    this.#rowsDrawn = 0;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#out.write(SHOW_CURSOR);
    await flushed(this.#out);
  }

  #draw(): void {
    if (this.#closed) return;
    // 0 is what some terminals say before they know.
    const columns = this.#out.columns === undefined || this.#out.columns === 0 ? 80 : this.#out.columns;
    const lines = statusLines(this.#status(), columns, this.#colors);
    const up = this.#rowsDrawn === 0 ? '' : `\x1b[${this.#rowsDrawn}A\r`;
    this.#out.write(`${up}${lines.map((line) => `${line}${CLEAR_LINE_END}\n`).join('')}${CLEAR_BELOW}`);
    // A long address takes two rows of a narrow terminal.
    const widths = lines.map((line) => stripVTControlCharacters(line).length);
    this.#rowsDrawn = widths.reduce((rows, width) => rows + Math.max(1, Math.ceil(width / columns)), 0);
  }
}
