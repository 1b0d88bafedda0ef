import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** What the API answered; `body` null: nothing. */
export interface PowerDnsAnswer {
  status: number;
  body: unknown;
}

export interface PowerDnsOptions {
  /** Path of pdns_server. */
  program: string;
  /** With the database `zones.sqlite3` in it. */
  dir: string;
  dnsPort: number;
  apiPort: number;
  apiKey: string;
}

/** Name of the one server of the API. */
export const SERVER_ID = 'localhost';

const START_TIMEOUT_MS = 20_000;
const CALL_TIMEOUT_MS = 10_000;
const POLL_MS = 25;

/** One pdns_server process, and its API. */
export class PowerDnsServer {
  readonly options: PowerDnsOptions;
  #child: ChildProcess | undefined;

  constructor(options: PowerDnsOptions) {
    this.options = options;
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.options.apiPort}`;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const { program, dir } = this.options;
    await writeFile(join(dir, 'pdns.conf'), configuration(this.options), { mode: 0o600 });
    const child = spawn(program, [`--config-dir=${dir}`], { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
    this.#child = child;
    const said: string[] = [];
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding('utf8').on('data', (text: string) => {
        said.push(text);
        if (said.length > 50) said.shift();
      });
    }
    const end = performance.now() + START_TIMEOUT_MS;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > end) {
        await this.end();
        throw new Error(`Cannot start PowerDNS:\n${said.join('').split('\n').slice(-10).join('\n')}`);
      }
      await delay(POLL_MS);
    }
  }

  async end(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name);
  }

  async call(method: string, path: string, body?: unknown): Promise<PowerDnsAnswer> {
    const answer = await fetch(`${this.apiUrl}/api/v1/servers/${SERVER_ID}${path}`, {
      method,
      headers: { 'x-api-key': this.options.apiKey, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
  }

  /** @throws {Error} unless it succeeds. */
  async demand(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.call(method, path, body);
    if (answer.status >= 300) {
      throw new Error(`PowerDNS refused ${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  }

  /** The web server starts last. That it is ours shows by the key. */
  async #answers(): Promise<boolean> {
    try {
      return (await this.call('GET', '')).status === 200;
    } catch {
      return false;
    }
  }
}

function configuration({ dir, dnsPort, apiPort, apiKey }: PowerDnsOptions): string {
  return Object.entries({
    launch: 'gsqlite3',
    'gsqlite3-database': join(dir, 'zones.sqlite3'),
    'gsqlite3-pragma-synchronous': 0,
    'local-address': '127.0.0.1',
    'local-port': dnsPort,
    'socket-dir': dir,
    'write-pid': 'no',
    guardian: 'no',
    daemon: 'no',
    'disable-syslog': 'yes',
    loglevel: 3,
    'security-poll-suffix': '',
    // What a test changes is served at once.
    'cache-ttl': 0,
    'query-cache-ttl': 0,
    'negquery-cache-ttl': 0,
    'zone-cache-refresh-interval': 0,
    // A record whose script fails is how a name server says SERVFAIL.
    'enable-lua-records': 'yes',
    'receiver-threads': 1,
    'distributor-threads': 1,
    api: 'yes',
    'api-key': apiKey,
    webserver: 'yes',
    'webserver-address': '127.0.0.1',
    'webserver-port': apiPort,
    'webserver-allow-from': '127.0.0.1',
    'webserver-loglevel': 'none',
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
