/** The command line or a configuration file is wrong; the message says how to put it right. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
