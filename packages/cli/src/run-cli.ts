import { CommanderError } from 'commander';
import { toCliError } from './cli-error.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';
import { openPrinter } from './output/open-printer.ts';
import { createProgram } from './program.ts';

/** Runs one command line. Never rejects: errors are shown as the command line asks for. @returns the exit code */
export async function runCli(args: string[], io: Io): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram(io, (code) => {
    exitCode = code;
  });
  const json = args.includes('--json');
  // In place of commander's own text, which would stand beside the event.
  if (json)
    program.configureOutput({ writeErr: () => {} }).commands.forEach((each) => each.copyInheritedSettings(program));
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // --help and --version, and `tunnox` alone, which shows the help.
      if (error.exitCode === 0) return EXIT.ok;
      if (json) await printError('usage', error.message.replace(/^error: /, ''), io, json);
      return EXIT.usage;
    }
    const { code, message, exitCode: errorExitCode } = toCliError(error);
    await printError(code, message, io, json);
    return errorExitCode;
  }
}

async function printError(code: string, message: string, io: Io, json: boolean): Promise<void> {
  const printer = openPrinter(io, json);
  printer.print({ event: 'error', code, message });
  await printer.close();
}
