import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Binding } from '@tunnox/domain/binding';
import type { LookupAnswer } from '@tunnox/domain/lookup';
import type { ClientPolicy } from '@tunnox/domain/policy';
import {
  attachRequestSchema,
  type ConnectionsRequest,
  connectionsRequestSchema,
  detachRequestSchema,
  ecPublicJwkSchema,
  type NodeMessage,
  type RegisterAnswer,
  registerRequestSchema,
  type RelayToNodeMessage,
  relayMessageSchema,
  type UsageRequest,
  usageRequestSchema,
} from '@tunnox/domain/relay-api';
import { makeUlid } from '@tunnox/domain/ulid';
import { exportJWK, generateKeyPair, importJWK, jwtVerify, SignJWT } from 'jose';
import { type WebSocket, WebSocketServer } from 'ws';

type Unnumbered<M> = M extends unknown ? Omit<M, 'seq'> : never;
type Pushed = Unnumbered<Exclude<NodeMessage, { type: 'resync' }>>;

/** The relay API of one node, as docs/PROTOCOL.md says it, in one process and without any store. */
export class FakeControlPlane {
  /** By endpoint; what is not here is not found. */
  readonly routes = new Map<string, LookupAnswer>();
  /** By client id; a client without one gets an empty policy. */
  readonly policies = new Map<number, ClientPolicy>();
  /** Everything that was asked for, such as `attach 600000001/1`, `lookup foo.example.com`, `session 7`, `draining`. */
  readonly log: string[] = [];
  readonly usage: UsageRequest[] = [];
  readonly connections: ConnectionsRequest['connections'] = [];
  joinToken = 'tnx_join_good';
  #server: Server | null = null;
  #port = 0;
  #keys: Awaited<ReturnType<typeof generateKeyPair>> | null = null;
  #incarnation = '';
  #seq = 0;
  #queue: { seq: number; text: string }[] = [];
  #socket: WebSocket | null = null;
  readonly #sockets = new Set<WebSocket>();
  #known = new Set<string>();
  #wake: (() => void)[] = [];

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts, or comes back at the same address. */
  async start(): Promise<void> {
    this.#keys ??= await generateKeyPair('ES256', { extractable: true });
    const server = createServer((request, response) => void this.#answer(request, response));
    const webSockets = new WebSocketServer({ noServer: true });
    server.on('upgrade', (request, socket, head) => {
      webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#session(request, webSocket));
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Goes away; what it knows stays. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    for (const socket of this.#sockets) socket.terminate();
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  /** A name whose agent is not attached anywhere else. */
  publish(clientId: number, binding: Binding): void {
    const endpoint = binding.endpoint ?? binding.binding_id;
    this.routes.set(endpoint, {
      found: true,
      binding,
      upstreams: [{ client_id: clientId, presence: null, node: null }],
    });
    const held = this.policies.get(clientId) ?? emptyPolicy(clientId);
    const bindings = [...held.bindings.filter(({ binding_id }) => binding_id !== binding.binding_id), binding];
    this.policies.set(clientId, { ...held, config_version: held.config_version + 1, bindings });
  }

  push(message: Pushed): void {
    const seq = ++this.#seq;
    const text = JSON.stringify({ ...message, seq });
    this.#queue.push({ seq, text });
    this.#socket?.send(text);
  }

  /** As after a lease that was lost. */
  resync(): void {
    this.#socket?.send('{"type":"resync"}');
  }

  async ticket(clientId: number): Promise<string> {
    assert.ok(this.#keys);
    return new SignJWT({ user_id: null, group: 'default', generation: 1 })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setIssuer('tunnox')
      .setAudience('tunnox-relay')
      .setSubject(String(clientId))
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(this.#keys.privateKey);
  }

  /** Resolves when `line` stands in the log, `count` times. */
  async logged(line: string, count = 1): Promise<void> {
    while (this.log.filter((one) => one === line).length < count) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  #note(line: string): void {
    this.log.push(line);
    for (const wake of this.#wake.splice(0)) wake();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', this.url);
    const body = request.method === 'POST' ? await json(request) : null;
    if (pathname === '/relay/v1/register') return this.#register(body, response);
    if (request.headers.authorization !== `Bearer token ${this.#incarnation}`) {
      return reply(response, 401, { code: 'unauthenticated', detail: 'Another run is registered now' });
    }
    switch (pathname) {
      case '/relay/v1/attach': {
        const { clients } = attachRequestSchema.parse(body);
        const results = clients.map(({ client_id, connect_seq, mode }) => {
          this.#note(`${mode} ${client_id}/${connect_seq}`);
          return { client_id, outcome: 'accepted', policy: this.policies.get(client_id) ?? emptyPolicy(client_id) };
        });
        return reply(response, 200, { results });
      }
      case '/relay/v1/detach':
        for (const { client_id, connect_seq } of detachRequestSchema.parse(body).clients) {
          this.#note(`detach ${client_id}/${connect_seq}`);
        }
        response.writeHead(204).end();
        return undefined;
      case '/relay/v1/lookup': {
        const endpoint = searchParams.get('endpoint') ?? '';
        this.#note(`lookup ${endpoint}`);
        return reply(response, 200, this.routes.get(endpoint) ?? { found: false });
      }
      case '/relay/v1/usage':
        this.usage.push(usageRequestSchema.parse(body));
        this.#note('usage');
        return reply(response, 200, { allowances: [] });
      case '/relay/v1/connections':
        this.connections.push(...connectionsRequestSchema.parse(body).connections);
        this.#note('connections');
        response.writeHead(204).end();
        return undefined;
      default:
        return reply(response, 404, { code: 'not_found' });
    }
  }

  async #register(body: unknown, response: ServerResponse): Promise<void> {
    const request = registerRequestSchema.parse(body);
    const { x, y } = request.public_jwk;
    const key = await importJWK({ kty: 'EC', crv: 'P-256', x, y }, 'ES256');
    await jwtVerify(request.assertion, key, { audience: 'tunnox-register' });
    this.#note(request.incarnation === undefined ? 'register' : 'renew');
    if (!this.#known.has(x) && request.join_token !== this.joinToken) {
      return reply(response, 403, { code: 'forbidden', detail: 'The join token is unknown' });
    }
    this.#known.add(x);
    if (request.incarnation === undefined) {
      this.#incarnation = makeUlid(Date.now() + this.log.length, new Uint8Array(16));
      [this.#seq, this.#queue] = [0, []];
    } else if (request.incarnation !== this.#incarnation) {
      return reply(response, 401, { code: 'unauthenticated', detail: 'Another run is registered now' });
    }
    assert.ok(this.#keys);
    const jwk = ecPublicJwkSchema.parse(await exportJWK(this.#keys.publicKey));
    const answer: RegisterAnswer = {
      node_id: 'node-001',
      incarnation: this.#incarnation,
      group: 'default',
      token: `token ${this.#incarnation}`,
      token_expires_at: new Date(Date.now() + 86_400_000).toISOString(),
      lease_ms: 30_000,
      base_domains: ['example.com'],
      ticket_keys: { keys: [{ ...jwk, kid: 'k1' }] },
      peers: [],
    };
    return reply(response, 200, answer);
  }

  #session(request: IncomingMessage, socket: WebSocket): void {
    const { searchParams } = new URL(request.url ?? '', this.url);
    const lastSeq = Number(searchParams.get('last_seq'));
    this.#socket = socket;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    this.#note(`session ${lastSeq}`);
    socket.on('message', (data: Buffer) => this.#hear(socket, data.toString()));
    for (const { seq, text } of this.#queue) if (seq > lastSeq) socket.send(text);
  }

  #hear(socket: WebSocket, text: string): void {
    if (text === 'ping') return socket.send('pong');
    const message: RelayToNodeMessage = relayMessageSchema.parse(JSON.parse(text));
    if (message.type === 'ack') this.#queue = this.#queue.filter(({ seq }) => seq !== message.seq);
    this.#note(message.type === 'ack' ? `ack ${message.seq}` : message.type);
  }
}

function emptyPolicy(clientId: number): ClientPolicy {
  const limits = { max_connections_per_mapping: null, bandwidth_bytes_per_s: null, traffic_remaining_bytes: null };
  return { client_id: clientId, user_id: null, generation: 1, config_version: 1, limits, bindings: [] };
}

function reply(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}
