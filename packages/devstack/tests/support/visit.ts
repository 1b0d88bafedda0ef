import { readFileSync } from 'node:fs';
import {
  type Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { type Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';

/** How a visitor reaches a relay. */
export interface Door {
  /** `127.0.0.1:9012` */
  address: string;
  /** PEM file of the authority; present: TLS. */
  caFile?: string;
  agent?: HttpAgent | HttpsAgent;
}

export interface VisitOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: Buffer | string | Readable;
  timeoutMs?: number;
}

export interface Visited {
  status: number;
  headers: IncomingHttpHeaders;
  trailers: NodeJS.Dict<string>;
  body: Buffer;
  text: string;
}

const TIMEOUT_MS = 30_000;

/** One request to `host` through a relay's door, its answer read whole. */
export async function visit(door: Door, host: string, path = '/', options: VisitOptions = {}): Promise<Visited> {
  const response = await open(door, host, path, options);
  const body = await buffer(response);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    trailers: response.trailers,
    body,
    text: body.toString(),
  };
}

/** As `visit()`, but the answer's body is for the caller to read. */
export function open(door: Door, host: string, path: string, options: VisitOptions = {}): Promise<IncomingMessage> {
  const at = door.address.lastIndexOf(':');
  const shared = {
    host: door.address.slice(0, at),
    port: Number(door.address.slice(at + 1)),
    path,
    method: options.method ?? 'GET',
    headers: { host, ...options.headers },
    agent: door.agent ?? false,
    signal: AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS),
  };
  return new Promise((resolve, reject) => {
    const request =
      door.caFile === undefined
        ? httpRequest({ ...shared, agent: shared.agent as HttpAgent | false })
        : httpsRequest({
            ...shared,
            agent: shared.agent as HttpsAgent | false,
            ca: readFileSync(door.caFile),
            servername: host,
          });
    request.on('response', resolve);
    request.on('error', reject);
    const { body } = options;
    if (body === undefined) request.end();
    else if (typeof body === 'string' || Buffer.isBuffer(body)) request.end(body);
    else body.pipe(request);
  });
}
