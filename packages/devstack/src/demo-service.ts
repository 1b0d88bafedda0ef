import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The web page that a new platform publishes, on a free port of 127.0.0.1. */
export class DemoService {
  readonly #host: string;
  #server: Server | undefined;

  /** @param host The only host name that it answers to (a page of somebody else's must not read a local service). */
  constructor(host: string) {
    this.#host = host;
  }

  get port(): number {
    const address = this.#server?.address() as AddressInfo | null | undefined;
    if (address === null || address === undefined) throw new Error('Cannot name the port: the service is not started');
    return address.port;
  }

  async start(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer((request, response) => this.#answer(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const [host = ''] = (request.headers.host ?? '').split(':');
    if (host.toLowerCase() !== this.#host) {
      response.writeHead(421, { 'content-type': 'text/plain' }).end('Not this host\n');
      return;
    }
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      'x-content-type-options': 'nosniff',
    });
    response.end(request.method === 'HEAD' ? undefined : page(request));
  }
}

function page({ headers, httpVersion, method = '', url = '' }: IncomingMessage): string {
  const rows = Object.entries(headers)
    .map(([name, value]) => `<tr><th>${escape(name)}</th><td>${escape(String(value))}</td></tr>`)
    .join('');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tunnox works</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }
  table { border-collapse: collapse; font-size: .875rem; } th { text-align: left; padding-right: 1.5rem; }
  td { overflow-wrap: anywhere; } @media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } }
</style>
<h1>It works</h1>
<p>This page comes from a small service without a public port. Your request went to a relay, through a tunnel to an
agent, and from there to the service. This is what arrived:</p>
<p><code>${escape(`${method} ${url} HTTP/${httpVersion}`)}</code></p>
<table>${rows}</table>
</html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
