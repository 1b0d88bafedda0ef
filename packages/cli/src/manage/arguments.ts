import { InvalidArgumentError } from 'commander';
import { UsageError } from '../usage-error.ts';

/** An id of the command line. @param what Such as `client id`. */
export function idOf(text: string | undefined, what: string): number {
  if (text === undefined || !/^[1-9]\d{0,14}$/.test(text)) {
    throw new UsageError(`Cannot use '${text ?? ''}' as ${what}: it must be a number`);
  }
  return Number(text);
}

/** For an option that takes a number. */
export function numberArgument(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** For an option that may be given several times, or once with commas. */
export function listArgument(text: string, before: string[] = []): string[] {
  return [...before, ...text.split(',').filter((item) => item !== '')];
}
