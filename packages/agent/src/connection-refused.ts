/**
 * Whether `error` says that the machine is there and nothing listens at the port: the program that should is not running.
 * Of a name with several addresses each must have refused.
 */
export function isConnectionRefused(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isConnectionRefused);
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === 'ECONNREFUSED') || isConnectionRefused(error.cause);
}
