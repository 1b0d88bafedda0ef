import { existsSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiCaller } from '@tunnox/api-client/api-caller';
import { ManagementApi } from '@tunnox/api-client/management-api';
import { DevelopmentCa, localServerNames, type ServerCertificateFiles } from '@tunnox/certificates/development-ca';
import { migrate } from '@tunnox/db/migrate';
import { checkPorts } from './check-ports.ts';
import { startControlPlane } from './control-plane-part.ts';
import { startDemoAgent } from './demo-part.ts';
import { DemoService } from './demo-service.ts';
import { KeptParts } from './kept-parts.ts';
import { ensureLocalAccounts, type LocalAccounts } from './local-accounts.ts';
import { type LocalSecrets, loadOrCreateSecrets } from './local-secrets.ts';
import { LogFile } from './log-file.ts';
import { answersAt, poll } from './poll.ts';
import { listeningPorts, type PortPlan, planPorts, type RelayPorts } from './port-plan.ts';
import { EmbeddedPostgres } from './postgres.ts';
import { endProcess } from './process-table.ts';
import { relayStateDir, startRelay } from './relay-part.ts';
import { RELAY_COUNT, type StackConfig } from './stack-config.ts';
import { StackError } from './stack-error.ts';
import { type Stack, type StackRelay, stackRelay } from './stack-file.ts';

export interface SupervisorDeps {
  print: (line: string) => void;
  /** Pids of processes that the platform must not outlive. */
  owners: number[];
}

export interface StartedStack {
  stack: Stack;
  localApiKey: string;
}

const HOST = '127.0.0.1';
const BASE_DOMAIN = 'tunnox.localhost';
const DEMO_SUBDOMAIN = 'demo';
const RESTART_DELAY_MS = 5000;
const CRON_INTERVAL_MS = 5000;
const DEMO_TIMEOUT_MS = 20_000;

/** Runs the embedded platform: starts its parts in order, starts dead ones again, stops them in reverse order. */
export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #config: StackConfig;
  readonly #ports: PortPlan;
  #taking: Promise<KeptParts> | undefined;

  constructor(deps: SupervisorDeps, config: StackConfig) {
    this.#deps = deps;
    this.#config = config;
    this.#ports = planPorts(config.portBase, RELAY_COUNT);
  }

  /**
   * @returns What stands in stack.json and the API key of the local tenant, once everything serves.
   * @throws {StackError} with what to do; what was started is stopped then.
   */
  async start(): Promise<StartedStack> {
    try {
      return await this.#startAll();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops everything in reverse order; also in the middle of start(), which then throws. */
  async stop(): Promise<void> {
    const parts = await this.#taking?.catch(() => undefined);
    await parts?.stop();
  }

  async #startAll(): Promise<StartedStack> {
    const { home, portBase, redis, restart } = this.#config;
    for (const folder of ['logs', 'objects']) await mkdir(join(home, folder), { recursive: true, mode: 0o700 });
    // Postgres does not run as root; its user has to get through to its folder, and sees nothing on the way.
    await chmod(home, process.getuid?.() === 0 ? 0o711 : 0o700);
    const restartDelayMs = restart ? RESTART_DELAY_MS : null;
    this.#taking = KeptParts.take({ home, restartDelayMs, print: this.#deps.print }, this.#deps.owners);
    const parts = await this.#taking;
    await checkPorts(listeningPorts(this.#ports, redis.kind === 'plain'), portBase);
    const secrets = await loadOrCreateSecrets(home);
    const certificate = { certFile: join(home, 'tls', 'server.pem'), keyFile: join(home, 'tls', 'server-key.pem') };
    const ca = await DevelopmentCa.loadOrCreate(join(home, 'tls'));
    await ca.ensureServerCertificate(certificate, localServerNames(BASE_DOMAIN));

    this.#deps.print('Starting Postgres and the control plane …');
    const postgres = this.#postgres(secrets);
    await Promise.all([startPostgres(parts, postgres), this.#startControlPlane(parts, postgres.url, secrets)]);
    const apiUrl = `http://${HOST}:${this.#ports.api}`;
    const caller = new ApiCaller({}, { server: apiUrl, userAgent: 'tunnox-devstack' });
    const operator = new ManagementApi(caller, secrets.operator_key);
    const accounts = await ensureLocalAccounts({ caller, operator }, home);
    this.#deps.print(`Starting ${RELAY_COUNT} relays …`);
    const relays = await this.#startRelays(parts, apiUrl, accounts, certificate);
    const demoUrl = this.#config.demo ? await this.#startDemo(parts, apiUrl, accounts) : null;
    const stack: Stack = {
      api_url: apiUrl,
      operator_key: secrets.operator_key,
      base_domain: BASE_DOMAIN,
      ca_file: ca.caFile,
      relays,
      demo_url: demoUrl,
      postgres_url: postgres.url,
      pids: {},
    };
    await parts.publish(stack);
    return { stack, localApiKey: accounts.localApiKey };
  }

  #postgres(secrets: LocalSecrets): EmbeddedPostgres {
    const { home } = this.#config;
    const log = new LogFile(join(home, 'logs', 'postgres.log'));
    return new EmbeddedPostgres({
      dir: join(home, 'postgres'),
      port: this.#ports.postgres,
      password: secrets.database_password,
      durable: true,
      onLog: (line) => log.write(line),
    });
  }

  async #startControlPlane(parts: KeptParts, databaseUrl: string, secrets: LocalSecrets): Promise<void> {
    const { home, redis } = this.#config;
    const firstRelay = this.#relayPorts(1);
    const controlPlane = {
      apiPort: this.#ports.api,
      neonGatewayPort: this.#ports.neonGateway,
      upstashGatewayPort: this.#ports.upstashGateway,
      databaseUrl,
      redis:
        redis.kind === 'plain'
          ? { kind: 'gateway' as const, redisUrl: redis.redisUrl, token: secrets.upstash_token }
          : redis.kind === 'upstash'
            ? redis
            : null,
      storageDir: join(home, 'objects'),
      operatorKey: secrets.operator_key,
      encryptionKey: secrets.encryption_key,
      baseDomain: BASE_DOMAIN,
      publicHttpUrl: `http://{host}:${firstRelay.http}`,
      publicHttpsUrl: `https://{host}:${firstRelay.https}`,
      cronIntervalMs: CRON_INTERVAL_MS,
    };
    await parts.keep('The control plane', 'control_plane', async () => {
      // One that was killed leaves its workerd behind, on the port.
      const workerd = parts.identity('workerd');
      if (workerd !== undefined) await endProcess(workerd, 'SIGTERM', RESTART_DELAY_MS);
      const onRuntimeStarted = (pid: number) => {
        parts.setPid('workerd', pid).catch((error: Error) => this.#deps.print(`Cannot note a pid: ${error.message}`));
      };
      return await startControlPlane({ home, controlPlane, onRuntimeStarted });
    });
  }

  /** One after the other at the first start, so that relay 1 is node-001; together when they have their ids. */
  async #startRelays(
    parts: KeptParts,
    apiUrl: string,
    { joinToken }: LocalAccounts,
    certificate: ServerCertificateFiles,
  ): Promise<StackRelay[]> {
    const { home, redis } = this.#config;
    const start = async (number: number): Promise<StackRelay> => {
      const ports = this.#relayPorts(number);
      let nodeId = '';
      const pid = await parts.keep(`Relay ${number}`, `relay_${number}`, async () => {
        const relay = await startRelay({ number, home, ports, apiUrl, joinToken, certificate, redis });
        nodeId = relay.nodeId;
        return relay;
      });
      return stackRelay(nodeId, pid, ports);
    };
    const numbers = this.#ports.relays.map((_, index) => index + 1);
    if (existsSync(relayStateDir(home, numbers.length))) return await Promise.all(numbers.map(start));
    const relays = [];
    for (const number of numbers) relays.push(await start(number));
    return relays;
  }

  #relayPorts(number: number): RelayPorts {
    const ports = this.#ports.relays[number - 1];
    if (ports === undefined) throw new StackError(`There are no ports for relay ${number}.`);
    return ports;
  }

  async #startDemo(parts: KeptParts, apiUrl: string, { demoApiKey }: LocalAccounts): Promise<string> {
    const { home } = this.#config;
    const host = `${DEMO_SUBDOMAIN}.${BASE_DOMAIN}`;
    const service = new DemoService(host);
    parts.add(service);
    await service.start();
    const options = { home, apiUrl, apiKey: demoApiKey, port: service.port, subdomain: DEMO_SUBDOMAIN };
    await parts.keep('The demo agent', 'demo_agent', () => startDemoAgent(options));
    const port = this.#relayPorts(1).http;
    await poll(() => answersAt(port, host), AbortSignal.timeout(DEMO_TIMEOUT_MS)).catch(() => {
      throw new StackError(`The demo does not answer through relay 1. Logs: ${join(home, 'logs')}`);
    });
    return `http://${host}:${port}/`;
  }
}

async function startPostgres(parts: KeptParts, postgres: EmbeddedPostgres): Promise<void> {
  await parts.keep('Postgres', 'postgres', async () => {
    await postgres.start();
    const { pid } = postgres;
    if (pid === undefined) throw new StackError('Postgres ended at once.');
    return { pid, exited: postgres.exited(), stop: () => postgres.stop() };
  });
  await migrate({ url: postgres.url });
}
