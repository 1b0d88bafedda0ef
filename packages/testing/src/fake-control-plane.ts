import type { HttpRequest, HttpTransport } from '@tunnox/api-client/http-transport';
import type { AgentSession, AgentSessionRequest } from '@tunnox/domain/agent-api';
import type { AgentBinding } from '@tunnox/domain/agent-config';
import type { NodeAddress } from '@tunnox/domain/presence';
import { EventQueue } from './event-queue.ts';

/** A control plane of one client, as far as an agent sees it. */
export class FakeControlPlane {
  relays: NodeAddress[] = [];
  version = 1;
  bindings: AgentBinding[] = [];
  clientId = 600_000_001;
  /** Given out with the next session answer. */
  newCode: string | null = null;
  /** Every call fails as if nobody listened. */
  down = false;
  /** The next session calls get these problems. */
  readonly problems: { status: number; code: string; members?: object }[] = [];
  readonly sessions = new EventQueue<{ request: AgentSessionRequest; bearer: string | undefined; ticket: string }>();
  readonly configCalls = new EventQueue<number>();

  readonly transport: HttpTransport = async (url, request) => {
    await Promise.resolve();
    if (this.down) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const { pathname, searchParams } = new URL(url);
    if (pathname === '/agent/v1/session') return this.#session(request);
    if (pathname === '/agent/v1/config') return this.#config(Number(searchParams.get('since')));
    return answer(404, { code: 'not_found', title: 'Not found' });
  };

  #session(request: HttpRequest) {
    const ticket = token({ sub: String(this.clientId), n: this.sessions.all.length + 1 }, 43_200);
    const body = JSON.parse(request.body ?? '{}') as AgentSessionRequest;
    this.sessions.push({ request: body, bearer: request.headers['authorization'], ticket });
    const problem = this.problems.shift();
    if (problem !== undefined) {
      return answer(problem.status, { code: problem.code, title: problem.code, ...problem.members });
    }
    const session: AgentSession = {
      client_id: this.clientId,
      client_type: 'managed',
      user_id: 100_000_001,
      access_token: token({}, 3600),
      access_token_expires_at: new Date(Date.now() + 3_600_000).toISOString(),
      ticket,
      ticket_expires_at: new Date(Date.now() + 43_200_000).toISOString(),
      relays: this.relays,
      base_domain: 'tunnox.localhost',
      http_url: 'http://{host}:9012',
      https_url: 'https://{host}:9013',
      config: { version: this.version, bindings: this.bindings },
      ...(this.newCode === null ? {} : { auth_code: this.newCode }),
    };
    this.newCode = null;
    return answer(200, session);
  }

  #config(since: number) {
    this.configCalls.push(since);
    if (this.version <= since) return answer(204);
    return answer(200, { version: this.version, bindings: this.bindings });
  }
}

function token(claims: object, lifetimeS: number): string {
  const iat = Math.floor(Date.now() / 1000);
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ ...claims, iat, exp: iat + lifetimeS })}.`;
}

function answer(status: number, body?: unknown) {
  const text = body === undefined ? '' : JSON.stringify(body);
  return { status, headers: new Headers(), text: () => Promise.resolve(text) };
}
