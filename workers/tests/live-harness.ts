import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type AgentSession, agentSessionSchema } from '@tunnox/domain/agent-api';
import {
  type ControlPlaneFixture,
  type ControlPlaneFixtureOptions,
  startControlPlane,
} from '@tunnox/testing/control-plane-fixture';
import pg from 'pg';
import { FakeRelay } from './fake-relay.ts';

/** A tenant with an API key. */
export interface Tenant {
  userId: number;
  apiKey: string;
}

/** A control plane with the calls that tests of the live state make. */
export class LiveHarness {
  readonly plane: ControlPlaneFixture;
  readonly #database: pg.Pool;
  readonly #relays: FakeRelay[] = [];

  private constructor(plane: ControlPlaneFixture) {
    this.plane = plane;
    this.#database = new pg.Pool({ connectionString: plane.databaseUrl, max: 2 });
    // A test takes Postgres away.
    this.#database.on('error', () => {});
  }

  static async start(options: ControlPlaneFixtureOptions = {}): Promise<LiveHarness> {
    return new LiveHarness(await startControlPlane(options));
  }

  async stop(): Promise<void> {
    for (const relay of this.#relays) relay.drop();
    await this.#database.end();
    await this.plane.stop();
  }

  async sql<Row>(text: string, ...values: unknown[]): Promise<Row[]> {
    return (await this.#database.query(text, values)).rows as Row[];
  }

  /** A call of the management API that succeeds. */
  async api<Answer>(method: string, path: string, body?: unknown, token = this.plane.operatorKey): Promise<Answer> {
    const response = await this.tryApi(method, path, body, token);
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  }

  tryApi(method: string, path: string, body?: unknown, token = this.plane.operatorKey): Promise<Response> {
    return fetch(`${this.plane.apiUrl}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async tenant(plan = 'enterprise'): Promise<Tenant> {
    const name = `u${randomBytes(6).toString('hex')}`;
    const user = await this.api<{ user_id: number }>('POST', '/users', {
      username: name,
      email: `${name}@example.com`,
      password: randomBytes(12).toString('hex'),
      plan,
    });
    const path = `/users/${user.user_id}/api-keys`;
    const made = await this.api<{ api_key: string }>('POST', path, { name: 'test', scopes: ['read', 'write'] });
    return { userId: user.user_id, apiKey: made.api_key };
  }

  /** `POST /agent/v1/session`, bare. */
  trySession(body: Record<string, unknown> = {}, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.plane.apiUrl}/agent/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ agent_version: 'test', protocol: 1, ...body }),
    });
  }

  async session(tenant: Tenant | null, body: Record<string, unknown> = {}): Promise<AgentSession> {
    const headers: Record<string, string> = tenant === null ? {} : { authorization: `Bearer ${tenant.apiKey}` };
    const response = await this.trySession(body, headers);
    assert.equal(response.status, 200, await response.clone().text());
    return agentSessionSchema.parse(await response.json());
  }

  async joinToken(uses: number | null = 1): Promise<string> {
    const made = await this.api<{ join_token: string }>('POST', '/join-tokens', { name: 'test', uses });
    return made.join_token;
  }

  /** A registered relay with an open session. @param body What it says of itself beside the usual. */
  async relay(body: Record<string, unknown> = {}): Promise<FakeRelay> {
    const relay = new FakeRelay(this.plane.apiUrl);
    this.#relays.push(relay);
    await relay.register({ ...body, join_token: await this.joinToken() });
    await relay.open();
    return relay;
  }

  /** A domain of the client under the base domain. @returns Its full name. */
  async domain(tenant: Tenant, clientId: number): Promise<string> {
    const subdomain = `d${randomBytes(6).toString('hex')}`;
    const made = await this.api<{ full_domain: string }>(
      'POST',
      '/domains',
      { client_id: clientId, subdomain, target_host: '127.0.0.1', target_port: 3000 },
      tenant.apiKey,
    );
    return made.full_domain;
  }
}
