import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type AttachAnswer,
  attachAnswerSchema,
  type AttachRequest,
  type NodeMessage,
  nodeMessageSchema,
  type RegisterAnswer,
  registerAnswerSchema,
  type RelayToNodeMessage,
} from '@tunnox/domain/relay-api';
import { type LookupAnswer, lookupAnswerSchema } from '@tunnox/domain/lookup';
import { makeUlid } from '@tunnox/domain/ulid';
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { WebSocket } from 'ws';

const WAIT_MS = 10_000;

/** A relay as the control plane sees one: its key, its calls, its session. */
export class FakeRelay {
  readonly #apiUrl: string;
  readonly #key: Promise<{ publicKey: CryptoKey; privateKey: CryptoKey }>;
  #registration: RegisterAnswer | undefined;
  #socket: WebSocket | undefined;
  #closed: Promise<number> | undefined;
  readonly #inbox: NodeMessage[] = [];
  readonly #arrivals = new Set<() => void>();
  #pongs: (() => void)[] = [];
  /** Highest `seq` that was received; what a real relay sends when its session comes back. */
  lastSeq = 0;
  acknowledges = true;

  /** @param privateJwk Key of a relay that was here before; absent: a new one. */
  constructor(apiUrl: string, privateJwk?: JWK) {
    this.#apiUrl = apiUrl;
    this.#key = privateJwk === undefined ? generateKeyPair('ES256', { extractable: true }) : importKeyPair(privateJwk);
  }

  get registration(): RegisterAnswer {
    assert.ok(this.#registration, 'the relay is registered');
    return this.#registration;
  }

  get nodeId(): string {
    return this.registration.node_id;
  }

  async assertion(claims: { iat?: number; jti?: string; aud?: string } = {}): Promise<string> {
    const { privateKey } = await this.#key;
    return new SignJWT({ jti: claims.jti ?? randomBytes(16).toString('hex') })
      .setProtectedHeader({ alg: 'ES256' })
      .setAudience(claims.aud ?? 'tunnox-register')
      .setIssuedAt(claims.iat ?? Math.floor(Date.now() / 1000))
      .sign(privateKey);
  }

  async publicJwk(): Promise<object> {
    return exportJWK((await this.#key).publicKey);
  }

  /** With it, the same relay can come back in another process. */
  async privateJwk(): Promise<JWK> {
    return exportJWK((await this.#key).privateKey);
  }

  /** The bare call, for what is expected to fail. */
  async tryRegister(body: Record<string, unknown> = {}): Promise<Response> {
    return fetch(`${this.#apiUrl}/relay/v1/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        public_jwk: await this.publicJwk(),
        assertion: await this.assertion(),
        public_address: '127.0.0.1',
        ports: {
          ...{ agent_tcp: 8080, agent_ws: 8081, http: 80, https: 443, bridge: 8443, metrics: 9090 },
          ...{ public_from: 20_000, public_to: 20_019 },
        },
        version: 'test',
        ...body,
      }),
    });
  }

  async register(body: Record<string, unknown> = {}): Promise<RegisterAnswer> {
    const response = await this.tryRegister(body);
    assert.equal(response.status, 200, await response.clone().text());
    this.#registration = registerAnswerSchema.parse(await response.json());
    return this.#registration;
  }

  /** Opens the session; acknowledges what arrives unless told otherwise. */
  async open(lastSeq = this.lastSeq): Promise<void> {
    const query = new URLSearchParams({ incarnation: this.registration.incarnation, last_seq: String(lastSeq) });
    const socket = new WebSocket(`${this.#apiUrl.replace('http', 'ws')}/relay/v1/session?${query.toString()}`, {
      headers: this.#authorization(),
    });
    this.#socket = socket;
    this.#closed = once(socket, 'close').then(([code]) => code as number);
    socket.on('message', (data: Buffer) => this.#receive(data.toString(), socket));
    await once(socket, 'open');
  }

  /** Drops the session without a word. */
  drop(): void {
    this.#socket?.terminate();
    this.#socket = undefined;
  }

  /** Resolves with the close code when the control plane ends the session. */
  async closed(): Promise<number> {
    assert.ok(this.#closed);
    return within(this.#closed, 'the session is closed');
  }

  async ping(): Promise<void> {
    const pong = new Promise<void>((resolve) => this.#pongs.push(resolve));
    this.sendRaw('ping');
    await within(pong, 'pong');
  }

  send(message: RelayToNodeMessage): void {
    this.sendRaw(JSON.stringify(message));
  }

  /** While a session is being opened, nothing is sent. */
  sendRaw(text: string): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  /** The first message that matches, of those not taken yet; waits for it. */
  async receive<Type extends NodeMessage['type']>(
    type: Type,
    matches: (message: Extract<NodeMessage, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<NodeMessage, { type: Type }>> {
    const signal = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const index = this.#inbox.findIndex(
        (message) => message.type === type && matches(message as Extract<NodeMessage, { type: Type }>),
      );
      if (index !== -1) return this.#inbox.splice(index, 1)[0] as Extract<NodeMessage, { type: Type }>;
      await this.#arrival(signal, type);
    }
  }

  /** Messages of the type that wait to be taken. */
  waiting(type: NodeMessage['type']): NodeMessage[] {
    return this.#inbox.filter((message) => message.type === type);
  }

  /** Puts away what has come so far of the type. */
  forget(type: NodeMessage['type']): void {
    const others = this.#inbox.filter((message) => message.type !== type);
    this.#inbox.splice(0, this.#inbox.length, ...others);
  }

  call(path: string, init: { method?: string; body?: unknown; token?: string } = {}): Promise<Response> {
    return fetch(`${this.#apiUrl}/relay/v1${path}`, {
      method: init.method ?? (init.body === undefined ? 'GET' : 'POST'),
      headers: { 'content-type': 'application/json', ...this.#authorization(init.token) },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
    });
  }

  async attach(...clients: AttachRequest['clients']): Promise<AttachAnswer['results']> {
    const response = await this.call('/attach', { body: { clients } });
    assert.equal(response.status, 200, await response.clone().text());
    return attachAnswerSchema.parse(await response.json()).results;
  }

  async detach(...clients: { client_id: number; instance_id: string; connect_seq: number }[]): Promise<void> {
    const response = await this.call('/detach', { body: { clients } });
    assert.equal(response.status, 204, await response.clone().text());
  }

  async lookup(endpoint: string): Promise<LookupAnswer> {
    const response = await this.call(`/lookup?endpoint=${encodeURIComponent(endpoint)}`);
    assert.equal(response.status, 200, await response.clone().text());
    return lookupAnswerSchema.parse(await response.json());
  }

  #authorization(token = this.registration.token): { authorization: string } {
    return { authorization: `Bearer ${token}` };
  }

  #receive(text: string, socket: WebSocket): void {
    if (text === 'pong') {
      this.#pongs.shift()?.();
      return;
    }
    const message = nodeMessageSchema.parse(JSON.parse(text));
    this.#inbox.push(message);
    if (message.type !== 'resync' && message.seq > 0) {
      this.lastSeq = Math.max(this.lastSeq, message.seq);
      // To the session from which it came, which may be the last one while the next is being opened.
      if (this.acknowledges && socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify({ type: 'ack', seq: message.seq } satisfies RelayToNodeMessage));
      }
    }
    for (const arrived of this.#arrivals) arrived();
  }

  #arrival(signal: AbortSignal, type: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = () => {
        this.#arrivals.delete(done);
        signal.removeEventListener('abort', late);
        resolve();
      };
      const late = () => {
        this.#arrivals.delete(done);
        const seen = [...new Set(this.#inbox.map((message) => message.type))].join(', ');
        reject(new Error(`No message '${type}' came; ${this.#inbox.length} others: ${seen}`));
      };
      this.#arrivals.add(done);
      signal.addEventListener('abort', late, { once: true });
    });
  }
}

/** @throws when `event` does not come in time */
async function within<T>(event: Promise<T>, name: string): Promise<T> {
  const timeout = new AbortController();
  const late = delay(WAIT_MS, undefined, { signal: timeout.signal }).then(() => {
    throw new Error(`Waited in vain: ${name}`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([event, late]);
  } finally {
    timeout.abort();
  }
}

async function importKeyPair(privateJwk: JWK): Promise<{ publicKey: CryptoKey; privateKey: CryptoKey }> {
  const { d: _, ...publicJwk } = privateJwk;
  const [privateKey, publicKey] = await Promise.all(
    [privateJwk, publicJwk].map((jwk) => importJWK(jwk, 'ES256', { extractable: true }) as Promise<CryptoKey>),
  );
  assert.ok(privateKey !== undefined && publicKey !== undefined);
  return { publicKey, privateKey };
}

/** A ULID for an agent process. */
export function instanceId(): string {
  return makeUlid(Date.now(), randomBytes(16));
}
