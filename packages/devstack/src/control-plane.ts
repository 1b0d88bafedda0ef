import { NeonGateway } from '@tunnox/gateways/neon-gateway';
import { UpstashGateway } from '@tunnox/gateways/upstash-gateway';
import { bundleWorker } from './worker-bundle.ts';
import { WorkerRuntime } from './worker-runtime.ts';

export interface ControlPlaneDeps {
  log: { warn: (fields: object, message: string) => void };
  /** Each line that the Worker writes to its console. */
  onWorkerLog: (line: string) => void;
  onRuntimeStarted: (pid: number) => void;
}

/** Everything is text or a number, so that it can be kept in a file. */
export interface ControlPlaneOptions {
  apiPort: number;
  neonGatewayPort: number;
  upstashGatewayPort: number;
  databaseUrl: string;
  /** Null: no Redis. `gateway`: an Upstash gateway of ours in front of it; `upstash`: Upstash, or one that speaks as it. */
  redis: { kind: 'gateway'; redisUrl: string; token: string } | { kind: 'upstash'; url: string; token: string } | null;
  storageDir: string;
  operatorKey: string;
  encryptionKey: string;
  baseDomain: string;
  /** Relay 1's public addresses with `{host}`, for printing. */
  publicHttpUrl: string;
  publicHttpsUrl: string;
  /** How often the Worker's `scheduled` handler runs, in milliseconds; null: only when runScheduled() is called. */
  cronIntervalMs: number | null;
  /** Lease of relays in milliseconds; absent: as in production. */
  relayLeaseMs?: number;
  /** Requests a second of one principal, and how many at once; absent: as in production. */
  rateLimit?: { perS: number; burst: number };
  /** Algorithm of log-ins' tokens; absent: ES256. */
  sessionAlgorithm?: 'ES256' | 'RS256' | 'HS256';
}

const HOST = '127.0.0.1';
const CRON = '* * * * *';
const ROOT = new URL('../../../', import.meta.url);

/** The control plane of one machine: the Worker in workerd, and the gateways to its Postgres and Redis. */
export class ControlPlane {
  readonly #deps: ControlPlaneDeps;
  readonly #options: ControlPlaneOptions;
  readonly #neon: NeonGateway;
  readonly #upstash: UpstashGateway | null;
  #runtime: WorkerRuntime | undefined;
  #cron: NodeJS.Timeout | undefined;

  constructor(deps: ControlPlaneDeps, options: ControlPlaneOptions) {
    this.#deps = deps;
    this.#options = options;
    const { databaseUrl, redis } = options;
    this.#neon = new NeonGateway(deps, { host: HOST, port: options.neonGatewayPort, databaseUrl });
    this.#upstash =
      redis?.kind === 'gateway'
        ? new UpstashGateway(deps, { host: HOST, port: options.upstashGatewayPort, ...redis })
        : null;
  }

  get apiUrl(): string {
    return `http://${HOST}:${this.#options.apiPort}`;
  }

  async start(): Promise<void> {
    if (this.#runtime !== undefined) return;
    try {
      const [bundle] = await Promise.all([bundleWorker(ROOT), this.#neon.start(), this.#upstash?.start()]);
      const runtime = new WorkerRuntime({
        bundle,
        vars: this.#vars(),
        port: this.#options.apiPort,
        storageDir: this.#options.storageDir,
        onLog: this.#deps.onWorkerLog,
        onRuntimeStarted: this.#deps.onRuntimeStarted,
      });
      this.#runtime = runtime;
      await runtime.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
    if (this.#options.cronIntervalMs !== null) this.#scheduleCron(this.#options.cronIntervalMs);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#cron);
    this.#cron = undefined;
    const runtime = this.#runtime;
    this.#runtime = undefined;
    await runtime?.stop();
    await Promise.all([this.#neon.stop(), this.#upstash?.stop()]);
  }

  /** Runs what a cron trigger runs in production: the sweeps. */
  async runScheduled(): Promise<void> {
    if (this.#runtime === undefined) throw new Error('Cannot run the sweeps: the control plane is not started');
    await this.#runtime.runScheduled(CRON);
  }

  /** The next run begins when the one before has ended. */
  #scheduleCron(intervalMs: number): void {
    this.#cron = setTimeout(() => {
      void this.runScheduled()
        .catch((error: unknown) => {
          if (this.#runtime !== undefined) this.#deps.log.warn({ err: error }, 'The scheduled run failed');
        })
        .finally(() => {
          if (this.#runtime !== undefined) this.#scheduleCron(intervalMs);
        });
    }, intervalMs);
  }

  #vars(): Record<string, string> {
    const {
      databaseUrl,
      redis,
      operatorKey,
      encryptionKey,
      baseDomain,
      publicHttpUrl,
      publicHttpsUrl,
      relayLeaseMs,
      rateLimit,
      sessionAlgorithm,
    } = this.#options;
    const redisUrl = redis === null ? null : redis.kind === 'gateway' ? this.#upstash?.url : redis.url;
    return {
      DATABASE_URL: databaseUrl,
      NEON_FETCH_ENDPOINT: `${this.#neon.url}/sql`,
      ...(redis === null || redisUrl === null || redisUrl === undefined
        ? {}
        : { UPSTASH_REDIS_REST_URL: redisUrl, UPSTASH_REDIS_REST_TOKEN: redis.token }),
      OPERATOR_KEY: operatorKey,
      ENCRYPTION_KEY: encryptionKey,
      BASE_DOMAINS: baseDomain,
      PUBLIC_HTTP_URL: publicHttpUrl,
      PUBLIC_HTTPS_URL: publicHttpsUrl,
      API_HOSTS: `127.0.0.1,localhost,api.${baseDomain}`,
      ...fromEnvironment(),
      ...(relayLeaseMs === undefined ? {} : { RELAY_LEASE_MS: String(relayLeaseMs) }),
      ...(rateLimit === undefined
        ? {}
        : { RATE_LIMIT_PER_S: String(rateLimit.perS), RATE_LIMIT_BURST: String(rateLimit.burst) }),
      ...(sessionAlgorithm === undefined ? {} : { SESSION_ALGORITHM: sessionAlgorithm }),
    };
  }
}

/** As in production unless the environment says otherwise: tests have name servers and an authority of their own. */
function fromEnvironment(): Record<string, string> {
  const names = ['DNS_RESOLVER_URL', 'DNS_BEAT_MS', 'ACME_DIRECTORY_URL', 'ACME_CONTACT'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
}
