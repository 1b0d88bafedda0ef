import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { BASE, CloudflareApi, type TokenRights } from './cloudflare-fake-api.ts';
import { CloudflareFault } from './cloudflare-fake-error.ts';
import { CallRate } from './cloudflare-fake-rate.ts';
import { CloudflareZone, type CloudflareZoneOptions } from './cloudflare-fake-zone.ts';

/** In which way calls go wrong. */
export type CloudflareTrouble =
  /** The connection ends before anything was read. */
  | { kind: 'down' }
  /** Nothing is ever answered. */
  | { kind: 'hang' }
  /** An answer without doing anything; `retryAfterS` as a header. */
  | { kind: 'answer'; status: number; body?: string; retryAfterS?: number; location?: string }
  /** It is done, and the answer breaks off in the middle. */
  | { kind: 'cut' }
  /** Of a batch only the first half is done, and then there is an error. */
  | { kind: 'half' };

/** A call that has come. */
export interface CloudflareCall {
  method: string;
  /** Without `/client/v4`, with its query. */
  path: string;
}

/**
 * Cloudflare's API v4 for zones and DNS records, as its documentation says: paging, validation, conflicts, batches as
 * transactions, tokens, rate limits; with troubles that tests switch on.
 *
 * @see https://developers.cloudflare.com/api/resources/dns/subresources/records/
 */
export class CloudflareFake {
  readonly rate = new CallRate();
  /** Calls that have come, since they were last cleared by whoever counts. */
  calls: CloudflareCall[] = [];
  readonly #api = new CloudflareApi();
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #trouble: { trouble: CloudflareTrouble; left: number; on: RegExp } | null = null;
  #before: ((call: CloudflareCall) => Promise<void> | void) | null = null;

  static async start(): Promise<CloudflareFake> {
    const fake = new CloudflareFake();
    fake.#server.listen(0, '127.0.0.1');
    await once(fake.#server, 'listening');
    return fake;
  }

  /** `http://127.0.0.1:port/client/v4` */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${BASE}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  addZone(name: string, options: CloudflareZoneOptions = {}): CloudflareZone {
    const zone = new CloudflareZone(name, options);
    this.#api.zones.push(zone);
    return zone;
  }

  /** @throws {Error} when it is not there */
  zone(name: string): CloudflareZone {
    const found = this.#api.zones.find((zone) => zone.name === name);
    if (found === undefined) throw new Error(`Cannot find the zone ${name}: it was not added`);
    return found;
  }

  addToken(rights: TokenRights = {}): string {
    const token = randomBytes(20).toString('hex');
    this.#api.tokens.set(token, rights);
    return token;
  }

  revokeToken(token: string): void {
    this.#api.tokens.delete(token);
  }

  /** The next `times` calls whose `METHOD /path` matches go wrong; null: none does any more. */
  setTrouble(trouble: CloudflareTrouble | null, times = Number.POSITIVE_INFINITY, on = /./): void {
    this.#trouble = trouble === null ? null : { trouble, left: times, on };
  }

  /** Called with each call before it is carried out, for tests that change something meanwhile, or wait. */
  setBefore(before: ((call: CloudflareCall) => Promise<void> | void) | null): void {
    this.#before = before;
  }

  /** Calls that change something. */
  get writes(): CloudflareCall[] {
    return this.calls.filter(({ method }) => method !== 'GET');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://cloudflare.invalid');
    const call = { method: request.method ?? 'GET', path: url.pathname.slice(BASE.length) + url.search };
    const body = await text(request).catch(() => '');
    this.calls.push(call);
    const trouble = this.#takeTrouble(call);
    await this.#before?.(call);
    switch (trouble?.kind) {
      case 'down':
        request.socket.destroy();
        return;
      case 'hang':
        return;
      case 'answer': {
        const { status, retryAfterS, location } = trouble;
        response.writeHead(status, {
          'content-type': 'application/json',
          ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
          ...(location === undefined ? {} : { location }),
        });
        response.end(trouble.body ?? '');
        return;
      }
      case 'cut':
      case 'half':
      case undefined:
        this.#answer(request, response, url, body, trouble?.kind);
    }
  }

  #takeTrouble({ method, path }: CloudflareCall): CloudflareTrouble | undefined {
    const now = this.#trouble;
    if (now === null || now.left <= 0 || !now.on.test(`${method} ${path}`)) return undefined;
    now.left -= 1;
    return now.trouble;
  }

  #answer(request: IncomingMessage, response: ServerResponse, url: URL, body: string, trouble?: 'cut' | 'half'): void {
    const authorization = request.headers.authorization;
    let status = 200;
    let answer: object;
    let headers: Record<string, string> = {};
    try {
      const rights = this.#api.authenticate(authorization);
      headers = this.rate.take(authorization ?? '');
      answer = {
        ...this.#api.answer(request.method ?? '', url, rights, body, trouble === 'half'),
        success: true,
        errors: [],
        messages: [],
      };
      if (trouble === 'half') throw new CloudflareFault(500, 10001, 'Internal error');
    } catch (error) {
      const fault = error instanceof CloudflareFault ? error : new CloudflareFault(500, 10001, String(error));
      status = fault.status;
      answer = fault.toBody();
      if (status === 429) headers = this.rate.refusal(authorization ?? '');
    }
    const message = JSON.stringify(answer);
    response.writeHead(status, {
      ...{ 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(message)) },
      ...headers,
    });
    if (trouble !== 'cut') return void response.end(message);
    response.write(message.slice(0, message.length / 2), () => request.socket.destroy());
  }
}
