import { ApiError } from '@tunnox/api-client/api-error';
import { exitCodeOf } from './exit-codes.ts';
import { DEFAULT_SERVER } from './settings.ts';
import { UsageError } from './usage-error.ts';

/** An error as a person or a program gets to see it. */
export class CliError extends Error {
  /** Stable, for programs. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CliError';
    this.code = code;
  }

  get exitCode(): number {
    return exitCodeOf(this.code);
  }
}

/** Puts whatever was thrown into words, with what to do about it. */
export function toCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof UsageError) return new CliError('usage', error.message, { cause: error });
  if (error instanceof ApiError) return new CliError(error.code, explain(error), { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new CliError('error', message, { cause: error });
}

/** The server's own words, and below them what to do. */
function explain(error: ApiError): string {
  const advice = adviceFor(error);
  return advice === null ? error.detail : `${error.detail}\n${advice}`;
}

function adviceFor(error: ApiError): string | null {
  switch (error.code) {
    case 'unauthenticated':
      return (
        'Check --api-key, TUNNOX_API_KEY or the file of `tunnox run`, or log in with `tunnox login`. If the code of the ' +
        'client was changed, name the client by --client <id> to be asked for the new one.'
      );
    case 'client_claimed':
      return 'With the new id and code: --client <id> asks for the code, or takes it from TUNNOX_AUTH_CODE.';
    case 'login_required':
      return 'Log in first: tunnox login';
    case 'subdomain_taken':
      return 'Choose another --subdomain, or leave it out for a random name.';
    case 'endpoint_taken':
    case 'port_taken':
      return 'Choose another --remote-port, or leave it out for a free one.';
    case 'quota_exceeded':
      return quotaAdvice(error);
    case 'unreachable':
    case 'timeout':
      return 'Is the server running, and is the address right? See --server and TUNNOX_SERVER.';
    case 'server_untrusted':
      return "If a CA of your own has signed it, name the CA's certificate (PEM) by --ca-file or TUNNOX_CA_FILE.";
    case 'bad_answer':
      return `Name the control plane by --server or TUNNOX_SERVER: the one of a local \`npm start\` is ${DEFAULT_SERVER}.`;
    case 'name_invalid':
      return 'Choose another --subdomain or --domain.';
    case 'protocol_unsupported':
      return 'Update tunnox: npm install -g tunnox@latest';
    default:
      return error.requestId !== null && error.status !== null && error.status >= 500
        ? `If it stays so, report it with the request id ${error.requestId}.`
        : null;
  }
}

function quotaAdvice(error: ApiError): string {
  const { limit, current } = error.members;
  const use = typeof limit === 'number' && typeof current === 'number' ? ` (${current} of ${limit} in use)` : '';
  if (/\bclients?\b/.test(error.detail)) {
    return (
      `The plan has no further client${use}. Run several mappings in one agent with \`tunnox run\`, ` +
      `or run as an existing client with --client <id>.`
    );
  }
  return `The plan has no further mapping${use}. See what there is with \`tunnox status\`.`;
}
