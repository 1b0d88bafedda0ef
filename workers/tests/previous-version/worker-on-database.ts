import { WorkerRuntime } from '@tunnox/devstack/worker-runtime';
import type { WorkerBundle } from '@tunnox/devstack/worker-bundle';
import { NeonGateway } from '@tunnox/gateways/neon-gateway';
import { freePort } from '../test-database.ts';
import type { Body } from '../test-stack.ts';

export interface WorkerOnDatabaseOptions {
  bundle: WorkerBundle;
  databaseUrl: string;
  /** Folder of the Durable Objects' storage; what another version left there is found again. */
  storageDir: string;
  operatorKey: string;
  encryptionKey: string;
}

export const BASE_DOMAIN = 'tunnox.example';

/** One version of the Worker on a database that is there already. */
export class WorkerOnDatabase {
  readonly apiUrl: string;
  /** Lines that the Worker has logged. */
  readonly logLines: string[];
  readonly #operatorKey: string;
  readonly #worker: WorkerRuntime;
  readonly #gateway: NeonGateway;

  private constructor(parts: {
    apiUrl: string;
    logLines: string[];
    operatorKey: string;
    worker: WorkerRuntime;
    gateway: NeonGateway;
  }) {
    this.apiUrl = parts.apiUrl;
    this.logLines = parts.logLines;
    this.#operatorKey = parts.operatorKey;
    this.#worker = parts.worker;
    this.#gateway = parts.gateway;
  }

  static async start(options: WorkerOnDatabaseOptions): Promise<WorkerOnDatabase> {
    const { bundle, databaseUrl, storageDir, operatorKey, encryptionKey } = options;
    const logLines: string[] = [];
    const gateway = new NeonGateway({ log: { warn: () => {} } }, { host: '127.0.0.1', port: 0, databaseUrl });
    await gateway.start();
    const port = await freePort();
    const worker = new WorkerRuntime({
      bundle,
      vars: {
        DATABASE_URL: databaseUrl,
        NEON_FETCH_ENDPOINT: `${gateway.url}/sql`,
        OPERATOR_KEY: operatorKey,
        ENCRYPTION_KEY: encryptionKey,
        BASE_DOMAINS: `${BASE_DOMAIN},second.example`,
        PUBLIC_HTTP_URL: 'http://{host}:9012',
        PUBLIC_HTTPS_URL: 'https://{host}:9013',
        API_HOSTS: '127.0.0.1,localhost',
      },
      port,
      storageDir,
      onLog: (line) => logLines.push(line),
      onRuntimeStarted: () => {},
    });
    const apiUrl = `http://127.0.0.1:${port}`;
    try {
      await worker.start();
    } catch (error) {
      await gateway.stop();
      throw error;
    }
    return new WorkerOnDatabase({ apiUrl, logLines, operatorKey, worker, gateway });
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
    await this.#gateway.stop();
  }

  /** What the cron trigger runs. */
  async sweep(): Promise<void> {
    try {
      await this.#worker.runScheduled('* * * * *');
    } catch (error) {
      const failed = this.logLines.filter((line) => line.includes('"level":"error"'));
      throw new Error(`The sweep failed:\n${failed.join('\n')}`, { cause: error });
    }
  }

  /** A call that may fail. @param token Absent: the operator's; null: none. */
  async tryCall(
    method: string,
    path: string,
    body?: unknown,
    token: string | null = this.#operatorKey,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Headers; body: Body }> {
    const answer = await fetch(this.apiUrl + (/^\/(?:agent|relay)\//.test(path) ? path : `/api/v1${path}`), {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: (text === '' ? null : JSON.parse(text)) as Body };
  }

  /** A call that succeeds. @throws {Error} with the answer when it does not. */
  async call(method: string, path: string, body?: unknown, token?: string | null): Promise<Body> {
    const answer = await this.tryCall(method, path, body, token);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** An agent's session, by its client's own code. */
  session(client: { clientId: number; authCode: string }): Promise<Body> {
    const { clientId: client_id, authCode: auth_code } = client;
    return this.call('POST', '/agent/v1/session', { client_id, auth_code, agent_version: 'test', protocol: 1 }, null);
  }
}
