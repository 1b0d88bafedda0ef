import { Agent as HttpAgent, request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import type { HttpTransport } from '@tunnox/api-client/http-transport';

/** Answers of the API are far smaller. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;

export interface HttpsTransportOptions {
  /** Certificates (PEM) that are trusted besides those of the system. */
  ca?: string[];
  /** Trust every certificate. */
  insecure: boolean;
}

/** Calls with certificates of one's own, which `fetch` does not know. */
export function httpsTransport(options: HttpsTransportOptions): HttpTransport {
  const https = new HttpsAgent({
    keepAlive: true,
    rejectUnauthorized: !options.insecure,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
  const http = new HttpAgent({ keepAlive: true });
  return async (url, { method, headers, body, signal }) => {
    const isHttps = url.startsWith('https:');
    const request = isHttps
      ? requestHttps(url, { method, headers, signal, agent: https })
      : requestHttp(url, { method, headers, signal, agent: http });
    const response = await answerTo(request, body);
    return {
      status: response.statusCode ?? 0,
      headers: { get: (name) => firstOf(response.headers[name.toLowerCase()]) },
      text: () => text(limited(response)),
    };
  };
}

function answerTo(request: ClientRequest, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve).on('error', reject);
    request.end(body);
  });
}

async function* limited(response: IncomingMessage): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_BYTES_MAX) throw new Error('The answer is too large');
    yield chunk as Buffer;
  }
}

function firstOf(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null;
}
