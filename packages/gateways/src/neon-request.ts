import { z } from 'zod';

const parameterSchema = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const querySchema = z.object({
  query: z.string(),
  params: z.array(parameterSchema).max(65_535).default([]),
  arrayMode: z.boolean().optional(),
});

const bodySchema = z.union([z.object({ queries: z.array(querySchema) }), querySchema]);

const ISOLATION_LEVELS = {
  ReadUncommitted: 'READ UNCOMMITTED',
  ReadCommitted: 'READ COMMITTED',
  RepeatableRead: 'REPEATABLE READ',
  Serializable: 'SERIALIZABLE',
} as const;

export interface NeonQuery {
  text: string;
  /** Values in Postgres' text format. */
  values: (string | null)[];
  /** Rows as arrays instead of objects. */
  arrayMode: boolean;
}

export type NeonRequest =
  | { kind: 'query'; rawText: boolean; query: NeonQuery }
  | { kind: 'transaction'; rawText: boolean; begin: string; queries: NeonQuery[] };

/**
 * Reads a request of Neon's SQL-over-HTTP protocol: one query, or the queries of a transaction.
 *
 * @throws {NeonRequestError} with a sentence for the caller.
 */
export function parseNeonRequest(header: (name: string) => string | undefined, body: string): NeonRequest {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw new NeonRequestError('The request body must be JSON');
  }
  const parsed = bodySchema.safeParse(json);
  if (!parsed.success) {
    throw new NeonRequestError('The request body must be {query, params} or {queries: [{query, params}, …]}');
  }
  const rawText = header('neon-raw-text-output') === 'true';
  const arrayMode = header('neon-array-mode') === 'true';
  const toQuery = (query: z.output<typeof querySchema>): NeonQuery => ({
    text: query.query,
    values: query.params.map((value) => (value === null ? null : String(value))),
    arrayMode: query.arrayMode ?? arrayMode,
  });
  if ('query' in parsed.data) return { kind: 'query', rawText, query: toQuery(parsed.data) };
  return { kind: 'transaction', rawText, begin: beginStatement(header), queries: parsed.data.queries.map(toQuery) };
}

/** The request cannot be understood; the message is for the caller. */
export class NeonRequestError extends Error {
  override name = 'NeonRequestError';
}

function beginStatement(header: (name: string) => string | undefined): string {
  let statement = 'BEGIN';
  const isolation = header('neon-batch-isolation-level');
  if (isolation !== undefined) {
    if (!Object.hasOwn(ISOLATION_LEVELS, isolation)) {
      throw new NeonRequestError(
        `Neon-Batch-Isolation-Level must be one of ${Object.keys(ISOLATION_LEVELS).join(', ')}`,
      );
    }
    statement += ` ISOLATION LEVEL ${ISOLATION_LEVELS[isolation as keyof typeof ISOLATION_LEVELS]}`;
  }
  const readOnly = header('neon-batch-read-only');
  if (readOnly !== undefined) statement += readOnly === 'true' ? ' READ ONLY' : ' READ WRITE';
  const deferrable = header('neon-batch-deferrable');
  if (deferrable !== undefined) statement += deferrable === 'true' ? ' DEFERRABLE' : ' NOT DEFERRABLE';
  return statement;
}
