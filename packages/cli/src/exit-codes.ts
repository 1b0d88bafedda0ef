/** Exit codes of every command; they are part of the interface and stand in `tunnox --help`. */
export const EXIT = {
  /** Done, or stopped on request (Ctrl-C, SIGTERM). */
  ok: 0,
  error: 1,
  /** The command line or the configuration file is wrong, or the name in it is not allowed. */
  usage: 2,
  /** Not logged in, or the credential is not accepted. */
  unauthenticated: 3,
  /** The name or the port is taken. */
  taken: 4,
  quota: 5,
  /** Another process runs as this client. */
  replaced: 6,
  /** The server could not be reached at the start. */
  unreachable: 7,
} as const;

const BY_CODE: Record<string, number> = {
  usage: EXIT.usage,
  name_invalid: EXIT.usage,
  unauthenticated: EXIT.unauthenticated,
  login_required: EXIT.unauthenticated,
  client_code_needed: EXIT.unauthenticated,
  client_claimed: EXIT.unauthenticated,
  subdomain_taken: EXIT.taken,
  endpoint_taken: EXIT.taken,
  port_taken: EXIT.taken,
  port_in_use: EXIT.taken,
  conflict: EXIT.taken,
  quota_exceeded: EXIT.quota,
  replaced: EXIT.replaced,
  client_in_use: EXIT.replaced,
  unreachable: EXIT.unreachable,
  timeout: EXIT.unreachable,
  bad_answer: EXIT.unreachable,
  server_untrusted: EXIT.unreachable,
  relay_unreachable: EXIT.unreachable,
  connection_lost: EXIT.unreachable,
};

/** Exit code for an error code of the API, of the agent or of the command. */
export function exitCodeOf(errorCode: string): number {
  return BY_CODE[errorCode] ?? EXIT.error;
}

export const EXIT_CODES_HELP = `Exit codes:
  0  done, or stopped on request (Ctrl-C, SIGTERM)
  1  error
  2  wrong command line or configuration file, or a name that is not allowed
  3  not logged in, or the credential is not accepted
  4  the name or port is taken
  5  a quota is used up
  6  another process runs as the same client
  7  the server cannot be reached at the start`;
