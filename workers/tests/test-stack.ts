import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { migrate } from '@tunnox/db/migrate';
import { bundleWorker } from '@tunnox/devstack/worker-bundle';
import { WorkerRuntime, type WorkerRuntimeOptions } from '@tunnox/devstack/worker-runtime';
import { NeonGateway } from '@tunnox/gateways/neon-gateway';
import { Client } from 'pg';
import { freePort, startDatabase, type TestDatabase } from './test-database.ts';

export const OPERATOR_KEY = 'operator-key-of-the-tests-0123456789';
export const BASE_DOMAIN = 'tunnox.example';

export interface Answer {
  status: number;
  headers: Headers;
  body: Body;
}

/** JSON as tests read it: whatever is not as they say makes them fail. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Body = Record<string, any>;

export interface CallOptions {
  token?: string | undefined;
  body?: unknown;
  headers?: Record<string, string>;
}

/** The real Worker in workerd on a real Postgres. */
export class TestStack {
  readonly #postgres: TestDatabase;
  readonly #worker: WorkerRuntime;
  readonly #more: WorkerRuntime[] = [];
  readonly #options: Pick<WorkerRuntimeOptions, 'bundle' | 'vars'>;
  readonly #gateway: NeonGateway;
  /** For looking at rows, and for making what no call can make. */
  readonly database: Client;
  readonly url: string;
  /** Lines that the Worker has logged. */
  readonly logLines: string[];
  /** Pids of the runtimes so far; the last one runs. */
  readonly runtimes: number[];

  private constructor(parts: {
    postgres: TestDatabase;
    worker: WorkerRuntime;
    options: Pick<WorkerRuntimeOptions, 'bundle' | 'vars'>;
    gateway: NeonGateway;
    database: Client;
    url: string;
    logLines: string[];
    runtimes: number[];
  }) {
    this.#postgres = parts.postgres;
    this.#worker = parts.worker;
    this.#options = parts.options;
    this.#gateway = parts.gateway;
    this.database = parts.database;
    this.url = parts.url;
    this.logLines = parts.logLines;
    this.runtimes = parts.runtimes;
  }

  /** @param vars Settings of the Worker beside the usual ones, or in their place. */
  static async start(vars: Record<string, string> = {}): Promise<TestStack> {
    // First: a Worker that cannot be built must not leave a database running.
    const bundle = await bundleWorker(new URL('../../', import.meta.url));
    const postgres = await startDatabase();
    await migrate({ url: postgres.url });
    const gateway = new NeonGateway(
      { log: { warn: () => {} } },
      { host: '127.0.0.1', port: 0, databaseUrl: postgres.url },
    );
    await gateway.start();
    const port = await freePort();
    const logLines: string[] = [];
    const runtimes: number[] = [];
    const options = {
      bundle,
      vars: {
        DATABASE_URL: postgres.url,
        NEON_FETCH_ENDPOINT: `${gateway.url}/sql`,
        OPERATOR_KEY,
        ENCRYPTION_KEY: randomBytes(32).toString('base64'),
        BASE_DOMAINS: `${BASE_DOMAIN},second.example`,
        PUBLIC_HTTP_URL: 'http://{host}:9012',
        PUBLIC_HTTPS_URL: 'https://{host}:9013',
        API_HOSTS: '127.0.0.1,localhost',
        // Tests come at once, and are no attack.
        RATE_LIMIT_PER_S: '100000',
        RATE_LIMIT_BURST: '100000',
        // Nobody answers there: tests that need a resolver have one of their own.
        DNS_RESOLVER_URL: 'http://127.0.0.1:1/dns-query',
        CLOUDFLARE_API_URL: 'http://127.0.0.1:1/client/v4',
        ...vars,
      },
    };
    const worker = new WorkerRuntime({
      ...options,
      port,
      storageDir: join(postgres.dir, 'objects'),
      onLog: (line) => logLines.push(line),
      onRuntimeStarted: (pid) => runtimes.push(pid),
    });
    await worker.start();
    const database = new Client({ connectionString: postgres.url });
    await database.connect();
    return new TestStack({
      postgres,
      worker,
      options,
      gateway,
      database,
      url: `http://127.0.0.1:${port}`,
      logLines,
      runtimes,
    });
  }

  /** Starts another control plane on the same database, with objects of its own. @returns Its URL. */
  async addControlPlane(vars: Record<string, string> = {}): Promise<string> {
    const port = await freePort();
    const worker = new WorkerRuntime({
      bundle: this.#options.bundle,
      vars: { ...this.#options.vars, ...vars },
      port,
      storageDir: join(this.#postgres.dir, `objects-${this.#more.length + 2}`),
      onLog: (line) => this.logLines.push(line),
      onRuntimeStarted: () => {},
    });
    this.#more.push(worker);
    await worker.start();
    return `http://127.0.0.1:${port}`;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#more.map((worker) => worker.stop()));
    await this.#worker.stop();
    await this.#gateway.stop();
    await this.database.end();
    await this.#postgres.stop();
  }

  /** Runs what the cron trigger runs. */
  async sweep(): Promise<void> {
    await this.#worker.runScheduled('* * * * *');
  }

  /** Stops what is between the Worker and Postgres. */
  async cutDatabase(): Promise<void> {
    await this.#gateway.stop();
  }

  /** Calls the API; below /api/v1 unless the path says otherwise. */
  async call(method: string, path: string, { token, body, headers = {} }: CallOptions = {}): Promise<Answer> {
    const absolute = path.startsWith('//') ? path.slice(1) : `/api/v1${path}`;
    const answer = await fetch(this.url + absolute, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await answer.text();
    const isJson = /^application\/(?:problem\+)?json/.test(answer.headers.get('content-type') ?? '');
    // What is of another kind, such as lines of JSON, is given as it came.
    const parsed: unknown = text === '' ? null : isJson ? JSON.parse(text) : { text };
    return { status: answer.status, headers: answer.headers, body: parsed as Body };
  }

  asOperator(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.call(method, path, { token: OPERATOR_KEY, body });
  }

  /** A new tenant with an API key. */
  async newUser(name: string, plan = 'pro'): Promise<{ userId: number; token: string }> {
    const user = await this.asOperator('POST', '/users', { username: name, email: `${name}@customer.example`, plan });
    const userId: number = user.body['user_id'] as number;
    const key = await this.asOperator('POST', `/users/${userId}/api-keys`, {});
    return { userId, token: key.body['api_key'] as string };
  }

  /** A new client of a tenant. */
  async newClient(token: string, name = 'agent'): Promise<number> {
    const made = await this.call('POST', '/clients', { token, body: { client_name: name } });
    return made.body['client_id'] as number;
  }

  /** A new anonymous client, with its access token. */
  async newAnonymous(): Promise<{ clientId: number; token: string; authCode: string }> {
    const { body } = await this.call('POST', '//agent/v1/session', { body: { agent_version: 'test', protocol: 1 } });
    return {
      clientId: body['client_id'] as number,
      token: body['access_token'] as string,
      authCode: body['auth_code'] as string,
    };
  }

  /** A relay as the directory would have written it. */
  async addNode(nodeId: string, from: number, to: number, group = 'default'): Promise<void> {
    await this.database.query(
      `insert into relay_nodes (node_id, fingerprint, incarnation, relay_group, region, public_address, internal_address,
         agent_tcp_port, agent_ws_port, http_port, https_port, bridge_port, metrics_port, public_from, public_to, version, status)
       values ($1, $2, '01ARZ3NDEKTSV4RRFFQ69G5FAV', $3, 'eu', $4, $4, 1, 2, 3, 4, 5, 6, $5, $6, '1', 'online')`,
      [nodeId, nodeId.padEnd(64, '0'), group, `${nodeId}.relays.example`, from, to],
    );
  }
}
