import { existsSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiCaller } from '@tunnox/api-client/api-caller';
import { DevelopmentCa, localServerNames, type ServerCertificateFiles } from '@tunnox/certificates/development-ca';
import { migrate } from '@tunnox/db/migrate';
import { checkPorts } from './check-ports.ts';
import { startControlPlane } from './control-plane-part.ts';
import { startDemoAgent } from './demo-part.ts';
import { DemoService } from './demo-service.ts';
import { Keeper, type Running } from './keeper.ts';
import { ensureLocalAccounts, type LocalAccounts } from './local-accounts.ts';
import { type LocalSecrets, loadOrCreateSecrets } from './local-secrets.ts';
import { LogFile } from './log-file.ts';
import { OperatorApi } from './operator-api.ts';
import { answersAt, poll } from './poll.ts';
import { listeningPorts, type PortPlan, planPorts, type RelayPorts } from './port-plan.ts';
import { EmbeddedPostgres } from './postgres.ts';
import { endProcess } from './process-table.ts';
import { relayStateDir, startRelay } from './relay-part.ts';
import { RunRecord } from './run-record.ts';
import { RELAY_COUNT, type StackConfig } from './stack-config.ts';
import { StackError } from './stack-error.ts';
import { removeStackFile, type Stack, type StackRelay, writeStackFile } from './stack-file.ts';

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
  /** What was started, in order. */
  readonly #started: { stop: () => Promise<void> }[] = [];
  #record: RunRecord | undefined;
  #stack: Stack | undefined;
  #stopping: Promise<void> | undefined;

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
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #startAll(): Promise<StartedStack> {
    const { home, redis } = this.#config;
    const root = process.getuid?.() === 0;
    for (const folder of ['logs', 'objects']) await mkdir(join(home, folder), { recursive: true, mode: 0o700 });
    // Postgres does not run as root; its user has to get through to its folder, and sees nothing on the way.
    await chmod(home, root ? 0o711 : 0o700);
    this.#record = await RunRecord.take(home, this.#deps.owners);
    await removeStackFile(home);
    await checkPorts(listeningPorts(this.#ports, redis.kind === 'plain'), this.#config.portBase);
    const secrets = await loadOrCreateSecrets(home);
    const certificate = { certFile: join(home, 'tls', 'server.pem'), keyFile: join(home, 'tls', 'server-key.pem') };
    const ca = await DevelopmentCa.loadOrCreate(join(home, 'tls'));
    await ca.ensureServerCertificate(certificate, localServerNames(BASE_DOMAIN));

    const postgres = this.#postgres(secrets);
    this.#checkNotStopping();
    this.#deps.print('Starting Postgres and the control plane …');
    await Promise.all([this.#startPostgres(postgres), this.#startControlPlane(postgres.url, secrets)]);
    const apiUrl = `http://${HOST}:${this.#ports.api}`;
    const caller = new ApiCaller({}, { server: apiUrl, userAgent: 'tunnox-devstack' });
    const operator = new OperatorApi(caller, secrets.operator_key);
    this.#checkNotStopping();
    const accounts = await ensureLocalAccounts({ caller, operator }, home);
    this.#checkNotStopping();
    this.#deps.print(`Starting ${RELAY_COUNT} relays …`);
    const relays = await this.#startRelays(apiUrl, accounts, certificate);
    const demoUrl = this.#config.demo ? await this.#startDemo(apiUrl, accounts) : null;
    this.#checkNotStopping();
    this.#stack = {
      api_url: apiUrl,
      operator_key: secrets.operator_key,
      base_domain: BASE_DOMAIN,
      ca_file: ca.caFile,
      relays: relays.map((relay, index) => this.#stackRelay(index + 1, relay)),
      demo_url: demoUrl,
      postgres_url: postgres.url,
      pids: {},
    };
    await this.#writeStack();
    return { stack: this.#stack, localApiKey: accounts.localApiKey };
  }

  async #stopAll(): Promise<void> {
    if (this.#record !== undefined) await removeStackFile(this.#config.home);
    for (const part of this.#started.toReversed()) await part.stop();
    await this.#record?.remove();
  }

  #checkNotStopping(): void {
    if (this.#stopping !== undefined) throw new StackError('Stopped while it was starting.');
  }

  async #keep(name: string, key: string, start: () => Promise<Running>): Promise<number> {
    let first: number | undefined;
    const keeper = new Keeper({
      name,
      start,
      onStarted: async (pid) => {
        first ??= pid;
        await this.#record?.set(key, pid);
        const relay = this.#stack?.relays[Number(/^relay_(\d+)$/.exec(key)?.[1]) - 1];
        if (relay !== undefined) relay.pid = pid;
        await this.#writeStack();
      },
      restartDelayMs: this.#config.restart ? RESTART_DELAY_MS : null,
      print: this.#deps.print,
    });
    this.#started.push(keeper);
    await keeper.start();
    this.#checkNotStopping();
    if (first === undefined) throw new StackError(`${name} did not start.`);
    return first;
  }

  async #writeStack(): Promise<void> {
    if (this.#stack === undefined || this.#stopping !== undefined) return;
    const pids = Object.entries(this.#record?.pids ?? {}).filter(([key]) => !key.startsWith('relay_'));
    this.#stack.pids = { supervisor: process.pid, ...Object.fromEntries(pids.toReversed()) };
    await writeStackFile(this.#config.home, this.#stack);
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

  async #startPostgres(postgres: EmbeddedPostgres): Promise<void> {
    await this.#keep('Postgres', 'postgres', async () => {
      await postgres.start();
      const { pid } = postgres;
      if (pid === undefined) throw new StackError('Postgres ended at once.');
      return { pid, exited: postgres.exited(), stop: () => postgres.stop() };
    });
    await migrate({ url: postgres.url });
  }

  async #startControlPlane(databaseUrl: string, secrets: LocalSecrets): Promise<void> {
    const { home, redis } = this.#config;
    const firstRelay = this.#relayPorts(1);
    await this.#keep('The control plane', 'control_plane', async () => {
      // One that was killed leaves its workerd behind, on the port.
      const workerd = this.#record?.identity('workerd');
      if (workerd !== undefined) await endProcess(workerd, 'SIGTERM', RESTART_DELAY_MS);
      return await startControlPlane({
        home,
        onRuntimeStarted: (pid) => void this.#record?.set('workerd', pid).then(() => this.#writeStack()),
        controlPlane: {
          apiPort: this.#ports.api,
          neonGatewayPort: this.#ports.neonGateway,
          upstashGatewayPort: this.#ports.upstashGateway,
          databaseUrl,
          redis:
            redis.kind === 'plain'
              ? { kind: 'gateway', redisUrl: redis.redisUrl, token: secrets.upstash_token }
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
        },
      });
    });
  }

  /** One after the other at the first start, so that relay 1 is node-001; together when they have their ids. */
  async #startRelays(
    apiUrl: string,
    accounts: LocalAccounts,
    certificate: ServerCertificateFiles,
  ): Promise<{ pid: number; nodeId: string }[]> {
    const numbers = this.#ports.relays.map((_, index) => index + 1);
    const start = (number: number) => this.#startRelay(number, apiUrl, accounts, certificate);
    if (existsSync(relayStateDir(this.#config.home, numbers.length))) return await Promise.all(numbers.map(start));
    const relays = [];
    for (const number of numbers) relays.push(await start(number));
    return relays;
  }

  async #startRelay(
    number: number,
    apiUrl: string,
    accounts: LocalAccounts,
    certificate: ServerCertificateFiles,
  ): Promise<{ pid: number; nodeId: string }> {
    const ports = this.#relayPorts(number);
    const { home, redis } = this.#config;
    let nodeId = '';
    const pid = await this.#keep(`Relay ${number}`, `relay_${number}`, async () => {
      const relay = await startRelay({
        number,
        home,
        ports,
        apiUrl,
        joinToken: accounts.joinToken,
        certificate,
        redis,
      });
      nodeId = relay.nodeId;
      return relay;
    });
    return { pid, nodeId };
  }

  #stackRelay(number: number, { pid, nodeId }: { pid: number; nodeId: string }): StackRelay {
    const ports = this.#relayPorts(number);
    const at = (port: number) => `${HOST}:${port}`;
    return {
      node_id: nodeId,
      pid,
      agent_tcp: at(ports.agentTcp),
      agent_ws: at(ports.agentWs),
      http: at(ports.http),
      https: at(ports.https),
      bridge: at(ports.bridge),
      metrics: at(ports.metrics),
      public_ports: `${ports.publicFrom}-${ports.publicTo}`,
    };
  }

  #relayPorts(number: number): RelayPorts {
    const ports = this.#ports.relays[number - 1];
    if (ports === undefined) throw new StackError(`There are no ports for relay ${number}.`);
    return ports;
  }

  async #startDemo(apiUrl: string, accounts: LocalAccounts): Promise<string> {
    const host = `${DEMO_SUBDOMAIN}.${BASE_DOMAIN}`;
    const service = new DemoService(host);
    this.#started.push(service);
    await service.start();
    await this.#keep('The demo agent', 'demo_agent', () =>
      startDemoAgent({
        home: this.#config.home,
        apiUrl,
        apiKey: accounts.demoApiKey,
        port: service.port,
        subdomain: DEMO_SUBDOMAIN,
      }),
    );
    const port = this.#relayPorts(1).http;
    await poll(() => answersAt(port, host), AbortSignal.timeout(DEMO_TIMEOUT_MS)).catch(() => {
      throw new StackError(`The demo does not answer through relay 1. Logs: ${join(this.#config.home, 'logs')}`);
    });
    return `http://${host}:${port}/`;
  }
}
