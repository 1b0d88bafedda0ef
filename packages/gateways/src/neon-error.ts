import { DatabaseError } from 'pg';
import { type GatewayAnswer, jsonAnswer, textAnswer } from './gateway-server.ts';
import { NeonRequestError } from './neon-request.ts';

/** The members of a Postgres error that Neon's client reads. */
const FIELDS = [
  'severity',
  'code',
  'detail',
  'hint',
  'position',
  'internalPosition',
  'internalQuery',
  'where',
  'schema',
  'table',
  'column',
  'dataType',
  'constraint',
  'file',
  'line',
  'routine',
] as const;

/**
 * SQLSTATEs that speak of the server, not of the statement: shutdown, crash, start-up, too many connections, and the
 * gateway's own login refused.
 */
const SERVER_AWAY = new Set(['57P01', '57P02', '57P03', '53300', '28P01', '28000', '3D000']);

/** 400 with the Postgres fields when the statement failed; 503 with a sentence when Postgres is away. */
export function toNeonErrorAnswer(error: unknown): GatewayAnswer {
  if (error instanceof NeonRequestError) return jsonAnswer(400, { message: error.message });
  if (error instanceof DatabaseError && !SERVER_AWAY.has(error.code ?? '')) {
    return jsonAnswer(400, {
      message: error.message,
      ...Object.fromEntries(FIELDS.map((field) => [field, error[field] ?? null])),
    });
  }
  return textAnswer(503, 'The database is away');
}

export function credentialRefused(): GatewayAnswer {
  return jsonAnswer(400, {
    message: 'password authentication failed: Neon-Connection-String does not hold the credential of this gateway',
    severity: 'FATAL',
    code: '28P01',
  });
}
