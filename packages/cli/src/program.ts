import { Command, InvalidArgumentError, Option } from 'commander';
import { forward, type ForwardOptions } from './commands/forward.ts';
import { http, type HttpOptions } from './commands/http.ts';
import { login, type LoginOptions } from './commands/login.ts';
import { logout } from './commands/logout.ts';
import { run, type RunOptions } from './commands/run.ts';
import { status } from './commands/status.ts';
import { tcp, type TcpOptions } from './commands/tcp.ts';
import { EXIT, EXIT_CODES_HELP } from './exit-codes.ts';
import type { Io } from './io.ts';
import { addCertsCommands } from './manage/certs-commands.ts';
import { addClientsCommands } from './manage/clients-commands.ts';
import { addDnsCommands } from './manage/dns-commands.ts';
import { addDomainsCommands } from './manage/domains-commands.ts';
import { addKeysCommands } from './manage/keys-commands.ts';
import { addMappingsCommands } from './manage/mappings-commands.ts';
import { addNodesCommands } from './manage/nodes-commands.ts';
import { addUsageCommand } from './manage/usage-command.ts';
import { openPrinter } from './output/open-printer.ts';
import { DEFAULT_SERVER, type GlobalOptions } from './settings.ts';
import { parsePort } from './target.ts';
import { CLI_VERSION } from './version.ts';

const EXAMPLES = `Examples:
  tunnox http 3000                             a random public name for localhost:3000
  tunnox http 3000 --subdomain shop            a name of your choice (log in first)
  tunnox http https://10.0.0.5:8443            a service elsewhere in your network
  tunnox tcp 22 --remote-port 20022            a public TCP port
  tunnox forward --to 600000001 --target localhost:5432 --local 15432
                                               a port of another machine of yours, here
  tunnox run -c tunnox.yaml                    whatever the server has configured for this client`;

/**
 * The command line. The action's exit code goes to `done`.
 *
 * @throws {CommanderError} for a wrong command line, `--help` and `--version`; whatever a command throws
 */
export function createProgram(io: Io, done: (exitCode: number) => void): Command {
  const program = new Command('tunnox')
    .description(
      'Makes a service on this machine reachable: by an HTTP name, a TCP port, or a port of another machine.',
    )
    .version(CLI_VERSION)
    .option(
      '--server <url>',
      `address of the server; TUNNOX_SERVER; default: that of the last login, or ${DEFAULT_SERVER}, where a local \`npm start\` is`,
    )
    .option('--api-key <key>', 'API key; TUNNOX_API_KEY keeps it out of the process list')
    .option(
      '--client <id>',
      "run as this client of the API key's user; without a key its code is asked for, or TUNNOX_AUTH_CODE",
      clientArgument,
    )
    .addOption(new Option('--transport <kind>', 'how to reach relays').choices(['tls', 'ws', 'auto']).default('auto'))
    .option('--json', 'print one JSON event a line', false)
    .option('--ca-file <path>', 'trust these certificates (PEM) for the server, too; TUNNOX_CA_FILE')
    .option('--insecure', 'do not check the certificate of the server, and talk to relays without TLS', false)
    .option('--config-dir <path>', 'folder of saved credentials; TUNNOX_CONFIG_DIR; default: ~/.config/tunnox')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('Try `tunnox --help`.')
    .addHelpText('after', `\n${EXAMPLES}\n\n${EXIT_CODES_HELP}`);

  program
    .command('http <target>')
    .description('Publish an HTTP service: <target> is a port, host:port or http(s)://host:port')
    .option('--subdomain <name>', "name under the server's domain (needs a login)")
    .option('--domain <name>', 'domain of your own (needs a login)')
    .option('--host-header <host>', 'Host header that the service gets, in place of the public name')
    .option(
      '--target-insecure',
      'accept any certificate of an https:// target; those on this machine are never checked',
      false,
    )
    .action(async (target: string, _: unknown, command: Command) => {
      done(await http(target, command.optsWithGlobals<HttpOptions>(), io));
    });

  program
    .command('tcp <target>')
    .description('Publish a TCP service: <target> is a port or host:port (needs a login)')
    .option('--remote-port <port>', 'public port; a free one if left out', portArgument)
    .action(async (target: string, _: unknown, command: Command) => {
      done(await tcp(target, command.optsWithGlobals<TcpOptions>(), io));
    });

  program
    .command('forward')
    .description('Open a port here that leads to a service behind another client of yours (needs a login)')
    .requiredOption('--to <client>', 'id of the client behind which the service is', clientArgument)
    .requiredOption('--target <host:port>', 'the service, as that client sees it')
    .requiredOption('--local <port>', 'port to open on this machine', portArgument)
    .option('--bind <address>', 'address at which it is opened', '127.0.0.1')
    .action(async (_: unknown, command: Command) => {
      done(await forward(command.optsWithGlobals<ForwardOptions>(), io));
    });

  program
    .command('run')
    .description('Run a managed client: its mappings come from the server')
    .requiredOption('-c, --config <file>', 'YAML file: server, client_id and auth_code (or api_key), allow, bind')
    .action(async (_: unknown, command: Command) => {
      done(await run(command.optsWithGlobals<RunOptions>(), io));
    });

  program
    .command('login')
    .description('Log in at this server: by an API key (asked for if it is not given), or by --user and a password')
    .option('--user <name>', 'user name or e-mail address; the password is asked for, an API key is made and kept')
    .action(async (_: unknown, command: Command) => {
      done(await login(command.optsWithGlobals<LoginOptions>(), io));
    });

  program
    .command('logout')
    .description('Forget the login of this server; a key that `tunnox login` has made is revoked')
    .action(async (_: unknown, command: Command) => {
      done(await logout(command.optsWithGlobals<GlobalOptions>(), io));
    });

  program
    .command('status')
    .description('Show your account, clients and tunnels at the server')
    .action(async (_: unknown, command: Command) => {
      done(await status(command.optsWithGlobals<GlobalOptions>(), io));
    });

  const context = { io, done };
  addClientsCommands(program, context);
  addMappingsCommands(program, context);
  addDomainsCommands(program, context);
  addDnsCommands(program, context);
  addCertsCommands(program, context);
  addKeysCommands(program, context);
  addUsageCommand(program, context);
  addNodesCommands(program, context);

  program
    .command('version')
    .description('Show the version')
    .action(async (_: unknown, command: Command) => {
      const { json } = command.optsWithGlobals<GlobalOptions>();
      const printer = openPrinter(io, json);
      if (json) printer.print({ event: 'result', command: 'version', version: CLI_VERSION });
      else io.stdout.write(`${CLI_VERSION}\n`);
      await printer.close();
      done(EXIT.ok);
    });
  return program;
}

function portArgument(text: string): number {
  try {
    return parsePort(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function clientArgument(text: string): number {
  if (!/^\d{9}$/.test(text)) throw new InvalidArgumentError('It must be a client id: nine digits.');
  return Number(text);
}
