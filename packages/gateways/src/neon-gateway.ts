import type { IncomingMessage } from 'node:http';
import { type CustomTypesConfig, Pool, type PoolClient, type QueryArrayResult } from 'pg';
import { type GatewayAnswer, GatewayServer, jsonAnswer, textAnswer } from './gateway-server.ts';
import { credentialRefused, toNeonErrorAnswer } from './neon-error.ts';
import { type NeonQuery, type NeonRequest, parseNeonRequest } from './neon-request.ts';
import { type NeonResult, toNeonResult } from './neon-result.ts';
import { secretsEqual } from './secret.ts';

export interface NeonGatewayDeps {
  log: { warn: (fields: object, message: string) => void };
}

export interface NeonGatewayOptions {
  host: string;
  /** 0: any free port. */
  port: number;
  /** `postgresql://user:password@host:port/database` of the Postgres behind the gateway. */
  databaseUrl: string;
  connectionsMax?: number;
  /** Postgres ends a statement that runs longer. */
  statementTimeoutMs?: number;
}

const CONNECTIONS_MAX = 20;
const STATEMENT_TIMEOUT_MS = 25_000;
/** Waiting for Postgres or for a free connection; then the caller gets 503 and can try again. */
const CONNECT_TIMEOUT_MS = 5000;
/** Neon's own limit. */
const BODY_BYTES_MAX = 10 * 1024 * 1024;

/** Statements after which a connection is as before; one that ran another (`SET`, `LISTEN`, …) is not used again. */
const KEEPS_SESSION = new Set(['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'MERGE']);

type TextResult = QueryArrayResult<(string | null)[]>;

const rawText: CustomTypesConfig = {
  getTypeParser: (() => (text: string) => text) as CustomTypesConfig['getTypeParser'],
};

/**
 * Neon's SQL over HTTP in front of a plain Postgres: `POST /sql` with one query or the queries of a transaction, as
 * `@neondatabase/serverless` sends them. `Neon-Connection-String` must hold user, password and database of
 * `databaseUrl`; its host is the gateway's and is not compared.
 *
 * A failed statement is answered with 400 and the Postgres fields; 503 says that Postgres is away (or that a connection
 * broke: the statement may then have been carried out).
 */
export class NeonGateway {
  readonly #deps: NeonGatewayDeps;
  readonly #options: NeonGatewayOptions;
  readonly #server: GatewayServer;
  #pool: Pool | undefined;

  constructor(deps: NeonGatewayDeps, options: NeonGatewayOptions) {
    if (credentialOf(options.databaseUrl) === '')
      throw new Error('Cannot use databaseUrl: it must be a postgresql:// URL');
    this.#deps = deps;
    this.#options = options;
    const { host, port } = options;
    this.#server = new GatewayServer(
      { refuse: (request) => this.#refuse(request), answer: (request, body) => this.#answer(request, body) },
      { host, port, bodyBytesMax: BODY_BYTES_MAX },
    );
  }

  /** `http://host:port`; queries go to its path `/sql`. */
  get url(): string {
    return this.#server.url;
  }

  /** Starts also when Postgres is away: connections are made when they are needed. */
  async start(): Promise<void> {
    if (this.#pool !== undefined) return;
    const statementTimeoutMs = this.#options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
    const pool = new Pool({
      connectionString: this.#options.databaseUrl,
      max: this.#options.connectionsMax ?? CONNECTIONS_MAX,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: statementTimeoutMs,
      // For a server that has stopped answering at all.
      query_timeout: statementTimeoutMs + CONNECT_TIMEOUT_MS,
      keepAlive: true,
    });
    pool.on('error', (error) => this.#deps.log.warn({ err: error }, 'An idle database connection broke'));
    this.#pool = pool;
    await this.#server.start();
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.end();
  }

  #refuse(request: IncomingMessage): GatewayAnswer | null {
    if (request.url !== '/sql') return textAnswer(404, 'Not found: queries go to POST /sql');
    if (request.method !== 'POST') return textAnswer(405, 'Queries are sent by POST');
    return this.#holdsCredential(request.headers['neon-connection-string']?.toString() ?? '')
      ? null
      : credentialRefused();
  }

  async #answer(request: IncomingMessage, body: string): Promise<GatewayAnswer> {
    const header = (name: string) => request.headers[name]?.toString();
    try {
      return jsonAnswer(200, await this.#run(parseNeonRequest(header, body)));
    } catch (error) {
      const answer = toNeonErrorAnswer(error);
      if (answer.status === 503) this.#deps.log.warn({ err: error }, 'The database is away');
      return answer;
    }
  }

  #holdsCredential(connectionString: string): boolean {
    return secretsEqual(credentialOf(connectionString), credentialOf(this.#options.databaseUrl));
  }

  async #run(request: NeonRequest): Promise<NeonResult | { results: NeonResult[] }> {
    if (this.#pool === undefined) throw new Error('Cannot run a query: the gateway is stopped');
    const client = await this.#pool.connect();
    // Without a listener, a connection that breaks while it is in use would end the process.
    const onError = () => {};
    client.on('error', onError);
    let reusable = false;
    try {
      if (request.kind === 'query') {
        const result = await query(client, request.query);
        reusable = KEEPS_SESSION.has(result.command);
        return toNeonResult(result, request.query, request.rawText);
      }
      const results = await transaction(client, request.begin, request.queries);
      reusable = results.every(({ result }) => KEEPS_SESSION.has(result.command));
      return { results: results.map((one) => toNeonResult(one.result, one.query, request.rawText)) };
    } catch (error) {
      reusable = toNeonErrorAnswer(error).status === 400;
      throw error;
    } finally {
      client.off('error', onError);
      client.release(!(reusable && isIdle(client)));
    }
  }
}

async function query(client: PoolClient, { text, values }: NeonQuery): Promise<TextResult> {
  const config = {
    text,
    values,
    rowMode: 'array' as const,
    types: rawText,
    // One statement a query, as Neon: without values pg would send several at once.
    queryMode: 'extended',
  };
  return await client.query<(string | null)[]>(config);
}

async function transaction(
  client: PoolClient,
  begin: string,
  queries: NeonQuery[],
): Promise<{ query: NeonQuery; result: TextResult }[]> {
  await client.query(begin);
  try {
    const results = [];
    for (const one of queries) results.push({ query: one, result: await query(client, one) });
    await client.query('COMMIT');
    return results;
  } catch (error) {
    // On a broken connection this fails too, and Postgres rolls back by itself.
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** False inside a transaction, such as one left open by a plain `BEGIN`. */
function isIdle(client: PoolClient): boolean {
  // Not yet in the type declarations of pg.
  return (client as PoolClient & { getTransactionStatus: () => string | null }).getTransactionStatus() === 'I';
}

/** User, password and database, decoded and parted; empty when it is not such a URL. */
function credentialOf(connectionString: string): string {
  if (!URL.canParse(connectionString)) return '';
  const { protocol, username, password, pathname } = new URL(connectionString);
  if (protocol !== 'postgres:' && protocol !== 'postgresql:') return '';
  try {
    return JSON.stringify([username, password, pathname].map(decodeURIComponent));
  } catch {
    return '';
  }
}
