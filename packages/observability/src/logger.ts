import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields that never reach a log, at the top of an entry or one level down. */
const SECRET_FIELDS = [
  'access_token',
  'assertion',
  'auth_code',
  'authorization',
  'cookie',
  'join_token',
  'joinToken',
  'operator_key',
  'password',
  'private_key',
  'privateKeyPem',
  'proof',
  'secret',
  'ticket',
  'token',
];

export interface LoggerOptions {
  /** Stands in every entry as `name`. */
  name: string;
  level: LogLevel;
}

/**
 * Makes a logger that writes one JSON object a line: `{"level":"info","time":"…","name":"relay","msg":"…",…}`.
 * Known secret fields are replaced by `[secret]`.
 */
export function createLogger(options: LoggerOptions, destination?: DestinationStream): Logger {
  const settings = {
    level: options.level,
    base: { name: options.name },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: '[secret]' },
  };
  return destination === undefined ? pino(settings) : pino(settings, destination);
}
