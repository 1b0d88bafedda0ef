/**
 * Commands that would change or block the one connection which all callers share, or that end the server. Upstash
 * refuses these as well.
 */
const REFUSED = new Set([
  'AUTH',
  'BLMOVE',
  'BLMPOP',
  'BLPOP',
  'BRPOP',
  'BRPOPLPUSH',
  'BZMPOP',
  'BZPOPMAX',
  'BZPOPMIN',
  'CLIENT',
  'CONFIG',
  'DEBUG',
  'DISCARD',
  'EXEC',
  'FAILOVER',
  'HELLO',
  'MIGRATE',
  'MODULE',
  'MONITOR',
  'MULTI',
  'PSUBSCRIBE',
  'PSYNC',
  'PUNSUBSCRIBE',
  'QUIT',
  'READONLY',
  'READWRITE',
  'REPLICAOF',
  'RESET',
  'SELECT',
  'SHUTDOWN',
  'SLAVEOF',
  'SSUBSCRIBE',
  'SUBSCRIBE',
  'SUNSUBSCRIBE',
  'SWAPDB',
  'SYNC',
  'UNSUBSCRIBE',
  'UNWATCH',
  'WAIT',
  'WAITAOF',
  'WATCH',
]);

export interface RedisCall {
  /** Upper case. */
  name: string;
  args: string[];
}

/** The request cannot be carried out; the message is for the caller, as Redis words its own. */
export class UpstashRequestError extends Error {
  override name = 'UpstashRequestError';
}

/**
 * Reads one command of Upstash's REST protocol: `["SET", "key", 1]`.
 *
 * @throws {UpstashRequestError}
 */
export function parseCommand(value: unknown): RedisCall {
  if (!Array.isArray(value) || value.length === 0 || !value.every(isScalar)) {
    throw new UpstashRequestError('ERR failed to parse command: it must be an array of strings, numbers or booleans');
  }
  const [first, ...args] = value.map(String);
  const name = (first ?? '').toUpperCase();
  const blocks = (name === 'XREAD' || name === 'XREADGROUP') && args.some((arg) => arg.toUpperCase() === 'BLOCK');
  if (REFUSED.has(name) || blocks) throw new UpstashRequestError(`ERR Command is not available: '${name}'`);
  return { name, args };
}

/** Reads the commands of a pipeline or a transaction. */
export function parseCommands(value: unknown): RedisCall[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new UpstashRequestError('ERR failed to parse pipeline: it must be an array of commands');
  }
  return value.map(parseCommand);
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
