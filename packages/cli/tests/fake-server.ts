import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import type { CreateDomain, Domain } from '@tunnox/domain/api/domains';
import type { CreateMapping, Mapping } from '@tunnox/domain/api/mappings';
import { FakeControlPlane } from '@tunnox/testing/fake-control-plane';
import { FakeRelay } from '@tunnox/testing/fake-relay';

/** The key of the one user; others are not accepted. */
export const API_KEY = 'tnx_live_test';

const NOW = '2026-01-01T00:00:00Z';
const TOTALS = { total_connections: 0, total_bytes_in: 0, total_bytes_out: 0, last_active_at: null };
const ACCESS = { allow: [], deny: [] };

interface Answer {
  status: number;
  body?: unknown;
}

/** A server of one user with one relay (without TLS: `--insecure`), as far as the command sees it. */
export class FakeServer {
  readonly plane = new FakeControlPlane();
  readonly relay = new FakeRelay('node-001');
  readonly domains: Domain[] = [];
  readonly mappings: Mapping[] = [];
  /** Method and path of every call of /api/v1. */
  readonly calls: string[] = [];
  /** What happens before a call of /api/v1 is answered, `GET /me`. */
  before: (call: string) => Promise<void> = () => Promise.resolve();
  url = '';

  static async start(t: TestContext): Promise<FakeServer> {
    const server = new FakeServer();
    server.plane.relays.push(await server.relay.listen());
    const http = createServer((request, response) => {
      void server.#answer(request).then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(body === undefined ? '' : JSON.stringify(body));
      });
    }).listen(0, '127.0.0.1');
    await once(http, 'listening');
    server.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    t.after(() => {
      server.relay.kill();
      http.close();
      http.closeAllConnections();
    });
    return server;
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { method = 'GET', url = '/' } = request;
    const body = await text(request);
    if (url.startsWith('/agent/')) {
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      const signal = AbortSignal.timeout(5000);
      const answer = await this.plane.transport(`http://x${url}`, { method, headers, body, signal });
      const answered = await answer.text();
      return { status: answer.status, ...(answered === '' ? {} : { body: JSON.parse(answered) as unknown }) };
    }
    const [path = ''] = url.replace('/api/v1', '').split('?');
    this.calls.push(`${method} ${path}`);
    await this.before(`${method} ${path}`);
    return this.#manage(`${method} ${path}`, body === '' ? {} : JSON.parse(body), request.headers.authorization);
  }

  #manage(call: string, body: unknown, authorization: string | undefined): Answer {
    if (authorization === undefined) return problem(401, 'unauthenticated');
    if (call === 'GET /me') return authorization === `Bearer ${API_KEY}` ? ok(ME) : problem(401, 'unauthenticated');
    if (call === 'POST /domains') return this.#createDomain(body as CreateDomain);
    if (call === 'POST /mappings') return this.#createMapping(body as CreateMapping);
    if (/^GET \/clients\/\d+\/mappings$/.test(call)) return ok({ mappings: this.mappings, ...PAGE });
    if (call === 'GET /clients') return ok({ clients: [], ...PAGE });
    if (call === 'GET /domains') return ok({ domains: this.domains, ...PAGE });
    if (call === 'GET /mappings') return ok({ mappings: this.mappings, ...PAGE });
    const deleted = this.mappings.findIndex(({ mapping_id }) => call === `DELETE /mappings/${mapping_id}`);
    if (deleted >= 0) {
      this.mappings.splice(deleted, 1);
      this.#bind();
      return { status: 204 };
    }
    const changed = this.mappings.find(({ mapping_id }) => call === `PUT /mappings/${mapping_id}`);
    if (changed !== undefined) {
      Object.assign(changed, body);
      this.#bind();
      return ok({ ...changed, delivery: [] });
    }
    const [, method, id] = /^(GET|PUT) \/domains\/(\d+)$/.exec(call) ?? [];
    const domain = this.domains.find((each) => each.domain_id === Number(id));
    if (domain === undefined) return problem(404, 'not_found');
    if (method === 'GET') return ok(domain);
    Object.assign(domain, body);
    this.#bind();
    return ok({ ...domain, delivery: [] });
  }

  #createDomain(wish: CreateDomain): Answer {
    const name = wish.subdomain ?? `brave-otter-${1000 + this.domains.length}`;
    if (name === 'admin') return problem(422, 'name_invalid');
    if (name === 'taken') return problem(409, 'subdomain_taken');
    const own = this.domains.find(({ subdomain }) => subdomain === name);
    if (own !== undefined) return problem(409, 'conflict', { domain_id: own.domain_id });
    const full_domain = `${name}.tunnox.localhost`;
    const domain: Domain = {
      domain_id: 17 + this.domains.length,
      user_id: null,
      namespace_id: null,
      client_id: wish.client_id ?? 0,
      upstreams: [{ client_id: wish.client_id ?? 0, weight: 100, priority: 0, online: true }],
      problems: [],
      full_domain,
      subdomain: name,
      base_domain: 'tunnox.localhost',
      custom: false,
      verification_state: 'verified',
      proofs: [],
      proof_checked_at: null,
      proof_missing_since: null,
      setup: null,
      proof_due_at: null,
      verified_at: null,
      target_scheme: wish.target_scheme ?? 'http',
      target_host: wish.target_host ?? '',
      target_port: wish.target_port,
      host_header: wish.host_header ?? null,
      tls_mode: 'terminate',
      enabled: true,
      status: 'active',
      url: `https://${full_domain}:9013`,
      urls: [`https://${full_domain}:9013`, `http://${full_domain}:9012`],
      access: ACCESS,
      ...TOTALS,
      expires_at: null,
      version: 1,
      created_at: NOW,
      updated_at: NOW,
    };
    this.domains.push(domain);
    this.#bind();
    return { status: 201, body: { ...domain, delivery: [] } };
  }

  #createMapping(wish: CreateMapping): Answer {
    if (wish.remote_port === 49_999) return problem(409, 'port_taken');
    const remote_port = wish.source_client_id === undefined ? (wish.remote_port ?? 49_000) : null;
    const mapping: Mapping = {
      mapping_id: 1001 + this.mappings.length,
      user_id: 100_000_001,
      namespace_id: null,
      upstreams: [{ client_id: wish.target_client_id ?? 0, weight: 100, priority: 0, online: true }],
      problems: [],
      expires_at: null,
      name: '',
      protocol: 'tcp',
      source_client_id: wish.source_client_id ?? null,
      target_client_id: wish.target_client_id ?? 0,
      local_port: wish.local_port ?? null,
      relay_group: remote_port === null ? null : 'default',
      remote_port,
      target_host: wish.target_host ?? null,
      target_port: wish.target_port ?? null,
      enabled: true,
      status: 'active',
      urls: remote_port === null ? [] : [`tcp://127.0.0.1:${remote_port}`],
      access: ACCESS,
      carrier: 'auto',
      ...TOTALS,
      version: 1,
      created_at: NOW,
      updated_at: NOW,
    };
    this.mappings.push(mapping);
    this.#bind();
    return { status: 201, body: { ...mapping, delivery: [] } };
  }

  /** Gives the client what it is to do. */
  #bind(): void {
    this.plane.version += 1;
    const common = { secret: null };
    this.plane.bindings = [
      ...this.domains.map((domain) => ({
        ...common,
        enabled: domain.enabled,
        role: 'target' as const,
        binding_id: `domain:${domain.domain_id}`,
        protocol: 'http' as const,
        url: domain.url,
        target_scheme: domain.target_scheme,
        target_host: domain.target_host,
        target_port: domain.target_port,
      })),
      ...this.mappings.map((mapping) =>
        mapping.source_client_id === null
          ? {
              ...common,
              enabled: mapping.enabled,
              role: 'target' as const,
              binding_id: `mapping:${mapping.mapping_id}`,
              protocol: 'tcp' as const,
              url: mapping.urls[0] ?? null,
              target_scheme: 'tcp' as const,
              target_host: mapping.target_host,
              target_port: mapping.target_port,
            }
          : {
              ...common,
              enabled: mapping.enabled,
              role: 'source' as const,
              binding_id: `mapping:${mapping.mapping_id}`,
              protocol: 'tcp' as const,
              local_port: mapping.local_port ?? 0,
              target_client_id: mapping.target_client_id,
              target: `${mapping.target_host}:${mapping.target_port}`,
              secret: Buffer.alloc(32, 7).toString('base64url'),
            },
      ),
    ];
  }
}

const PAGE = { total: 0, page: 1, limit: 100, next_cursor: null };
const ME = {
  role: 'user',
  scopes: ['read', 'write'],
  client_id: null,
  namespaces: [],
  user: {
    user_id: 100_000_001,
    username: 'ada',
    email: 'ada@example.com',
    status: 'active',
    plan: 'free',
    quota: {
      max_clients: 1,
      max_mappings: 1,
      max_active_mappings: 1,
      max_connections_per_mapping: null,
      total_bandwidth_limit: null,
      monthly_traffic_limit: null,
    },
    created_at: NOW,
    updated_at: NOW,
    last_login_at: null,
    version: 1,
  },
};

function ok(body: unknown): Answer {
  return { status: 200, body };
}

function problem(status: number, code: string, more: object = {}): Answer {
  return { status, body: { code, title: code, detail: `This is ${code}`, status, request_id: 'r1', ...more } };
}
