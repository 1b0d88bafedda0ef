import { ManagementApi } from '@tunnox/api-client/management-api';
import type { CallOptions } from '@tunnox/api-client/resource';
import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { openPrinter } from '../output/open-printer.ts';
import { openServer } from '../server/open-server.ts';
import { type GlobalOptions, resolveSettings, type Settings } from '../settings.ts';

/** What a command of `tunnox clients`, `tunnox mappings`, … answers. */
export interface Answer {
  /** Members of the one event of `--json`. */
  result: object;
  /** For people. */
  lines: string[];
}

/** What such a command works with. */
export interface Manager<Options> {
  api: ManagementApi;
  options: Options & GlobalOptions;
  settings: Settings;
  io: Io;
  /** Ends calls at Ctrl-C. */
  call: CallOptions;
  nowMs: number;
}

/** Where commands are registered, and where the exit code goes. */
export interface ManageContext {
  io: Io;
  done: (exitCode: number) => void;
}

/** Lets `command` run `work` with the login of the settings, and shows its answer. */
export function manage<Options extends object>(
  context: ManageContext,
  command: Command,
  work: (manager: Manager<Options>, args: string[]) => Promise<Answer>,
): void {
  command.action(async (...parameters: unknown[]) => {
    const { io, done } = context;
    const options = command.optsWithGlobals<Options & GlobalOptions>();
    const settings = await resolveSettings(options, io.env);
    if (settings.apiKey === undefined) {
      throw new CliError('login_required', `Nobody is logged in at ${settings.server}: run \`tunnox login\` first`);
    }
    const { caller } = await openServer(settings);
    const api = new ManagementApi(caller, settings.apiKey);
    // The last argument of a command may be several.
    const args = parameters.flat().filter((one) => typeof one === 'string');
    const { result, lines } = await work(
      { api, options, settings, io, call: { signal: io.signal }, nowMs: Date.now() },
      args,
    );
    const printer = openPrinter(io, settings.json);
    if (settings.json) printer.print({ event: 'result', command: nameOf(command), server: settings.server, ...result });
    else if (lines.length > 0) io.stdout.write(`${lines.join('\n')}\n`);
    await printer.close();
    done(EXIT.ok);
  });
}

/** `clients rotate-code`, without the name of the program. */
function nameOf(command: Command): string {
  const names: string[] = [];
  for (let one = command; one.parent !== null; one = one.parent) names.unshift(one.name());
  return names.join(' ');
}
