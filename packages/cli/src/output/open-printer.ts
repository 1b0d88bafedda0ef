import type { Io } from '../io.ts';
import { JsonPrinter } from './json-printer.ts';
import { LivePrinter } from './live-printer.ts';
import { PlainPrinter } from './plain-printer.ts';
import type { Printer } from './printer.ts';
import type { Status } from './status.ts';

/** @param status Given by commands that stay: they get the live view on a terminal. */
export function openPrinter(io: Io, json: boolean, status?: () => Status): Printer {
  if (json) return new JsonPrinter(io.stdout);
  const { NO_COLOR: noColor, TERM: term } = io.env;
  const isTerminal = io.stdout.isTTY === true;
  const useColors = isTerminal && (noColor === undefined || noColor === '') && term !== 'dumb';
  if (isTerminal && term !== 'dumb' && status !== undefined) return new LivePrinter(io.stdout, useColors, status);
  return new PlainPrinter({ out: io.stdout, error: io.stderr }, useColors);
}
