import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { Metrics } from '@tunnox/observability/metrics';
import { listen } from '../listener/listen.ts';
import { relayMetrics } from './relay-metrics.ts';
import type { RelayStatus } from './relay-status.ts';

export interface AdminServerOptions {
  host: string;
  /** 0: any free port. */
  port: number;
  /** Names, besides `localhost` and IP addresses, by which this page may be asked for. */
  hostNames: readonly string[];
}

interface Page {
  status: number;
  type: string;
  body: string;
}

const REQUEST_TIMEOUT_MS = 10_000;

/**
 * `/healthz` (the process answers), `/readyz` (it serves), `/metrics` (Prometheus), `/status` (JSON). Requests whose
 * Host is another site's name are refused: a page there must not read this one through the visitor's browser (DNS
 * rebinding).
 */
export class AdminServer {
  readonly #status: () => RelayStatus;
  readonly #options: AdminServerOptions;
  readonly #metrics: Metrics;
  readonly #server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void this.#answer(request, response);
  });

  constructor(status: () => RelayStatus, options: AdminServerOptions) {
    this.#status = status;
    this.#options = options;
    this.#metrics = relayMetrics(status);
  }

  /** Resolves to the port that is listened on. @throws {ListenError} */
  start(): Promise<number> {
    return listen(this.#server, this.#options);
  }

  stop(): void {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body } = await this.#page(request);
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  async #page(request: IncomingMessage): Promise<Page> {
    if (!this.#isOurs(request.headers.host ?? '')) return json(421, { error: 'This host name is not served here' });
    if (request.method !== 'GET' && request.method !== 'HEAD') return json(405, { error: 'Only GET is served here' });
    switch ((request.url ?? '').split('?', 1)[0]) {
      case '/healthz':
        return json(200, { status: 'ok' });
      case '/readyz': {
        const { phase } = this.#status();
        return json(phase === 'online' ? 200 : 503, { status: phase });
      }
      case '/metrics':
        return { status: 200, type: Metrics.contentType, body: await this.#metrics.text() };
      case '/status':
        return json(200, this.#status());
      default:
        return json(404, { error: 'There are /healthz, /readyz, /metrics and /status' });
    }
  }

  /** An attacker's page has a name, and the browser sends it: an address cannot be one. */
  #isOurs(hostHeader: string): boolean {
    if (!URL.canParse(`http://${hostHeader}/`)) return false;
    const { hostname } = new URL(`http://${hostHeader}/`);
    const bare = hostname.replace(/^\[|\]$/g, '');
    return bare === 'localhost' || isIP(bare) !== 0 || this.#options.hostNames.includes(bare);
  }
}

function json(status: number, value: object): Page {
  return { status, type: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` };
}
