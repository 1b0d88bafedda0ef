import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface GatewayServerOptions {
  host: string;
  /** 0: any free port. */
  port: number;
  /** Longer request bodies are answered with 413. */
  bodyBytesMax: number;
}

/** What a gateway answers: JSON text, or a plain sentence. */
export interface GatewayAnswer {
  status: number;
  contentType: 'application/json' | 'text/plain';
  body: string;
}

export interface GatewayHandler {
  /** Refuses a request by its head, such as one without the credential: nothing of its body is kept. Null: go on. */
  refuse(request: IncomingMessage): GatewayAnswer | null;
  answer(request: IncomingMessage, body: string): Promise<GatewayAnswer>;
}

/** A client that sends nothing more for this long is cut; the Worker sends a request in one piece. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than the keep-alive of the HTTP clients in use, so that they close first and never write into a closing one. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** Running requests may finish for this long after stop(). */
const STOP_GRACE_MS = 2000;

/** An HTTP server for small JSON requests: bounded bodies, time-outs, an answer for every error. */
export class GatewayServer {
  readonly #handler: GatewayHandler;
  readonly #options: GatewayServerOptions;
  #server: Server | undefined;

  constructor(handler: GatewayHandler, options: GatewayServerOptions) {
    this.#handler = handler;
    this.#options = options;
  }

  /** `http://host:port` of the running server. */
  get url(): string {
    const address = this.#server?.address() as AddressInfo | null | undefined;
    if (address === null || address === undefined)
      throw new Error('Cannot name the address: the gateway is not started');
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    return `http://${host}:${address.port}`;
  }

  /** @throws {Error} `EADDRINUSE`, `EACCES` */
  async start(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS, noDelay: true },
      (request, response) => void this.#serve(request, response),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: this.#options.host, port: this.#options.port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    this.#server = server;
  }

  /** Takes no new request, lets running ones finish for 2 s, then cuts them. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const cut = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS);
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
    clearTimeout(cut);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: GatewayAnswer;
    try {
      answer = await this.#answer(request);
    } catch {
      if (request.destroyed && !request.complete) return;
      answer = textAnswer(500, 'Something went wrong in the gateway');
    }
    // What is left of a refused body would be read as the next request.
    if (!request.complete) response.setHeader('connection', 'close');
    response.writeHead(answer.status, {
      'content-type': answer.contentType,
      'content-length': Buffer.byteLength(answer.body),
    });
    response.end(answer.body);
  }

  async #answer(request: IncomingMessage): Promise<GatewayAnswer> {
    if (request.url === '/healthz') return textAnswer(200, 'ok');
    const refusal = this.#handler.refuse(request);
    if (refusal !== null) {
      request.resume();
      return refusal;
    }
    const body = await readBody(request, this.#options.bodyBytesMax);
    if (body === null) {
      return textAnswer(413, `The request body must not be longer than ${this.#options.bodyBytesMax} bytes`);
    }
    return await this.#handler.answer(request, body);
  }
}

export function jsonAnswer(status: number, value: unknown): GatewayAnswer {
  return { status, contentType: 'application/json', body: JSON.stringify(value) };
}

export function textAnswer(status: number, sentence: string): GatewayAnswer {
  return { status, contentType: 'text/plain', body: sentence };
}

/** Null when the body is too long. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<string | null> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return null;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
