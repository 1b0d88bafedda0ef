import { type LookupAnswer, lookupAnswerSchema } from '@tunnox/domain/lookup';
import type { NodeAddress } from '@tunnox/domain/presence';
import {
  acmeChallengeAnswerSchema,
  type AttachAnswer,
  type AttachRequest,
  attachAnswerSchema,
  type CertificatesAnswer,
  certificatesAnswerSchema,
  type ConnectionsRequest,
  type DetachRequest,
  type Jwks,
  jwksSchema,
  peersAnswerSchema,
  type RegisterAnswer,
  type RegisterRequest,
  registerAnswerSchema,
  type UsageAnswer,
  type UsageRequest,
  usageAnswerSchema,
  type WithdrawAnswer,
  withdrawAnswerSchema,
} from '@tunnox/domain/relay-api';
import { Agent, request } from 'undici';
import { ControlPlaneError } from './control-plane-error.ts';

export interface RelayApiOptions {
  /** Without a trailing slash. */
  baseUrl: string;
  /** PEM of all authorities to trust; null: the system's. */
  ca: readonly string[] | null;
}

interface Call<T> {
  method: 'GET' | 'POST';
  path: string;
  body?: unknown;
  timeoutMs: number;
  schema: { parse: (value: unknown) => T } | null;
}

/** A look-up holds a visitor up; all other calls may take their time. */
const LOOKUP_TIMEOUT_MS = 4000;
const CALL_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 3000;
const CONNECTIONS_MAX = 32;

/** The relay API of the control plane. Every call ends within its time-out. All throw {@link ControlPlaneError}. */
export class RelayApi {
  /** The token was refused. */
  onUnauthorized: () => void = () => {};
  /** Whether the last call was answered, by whatever status below 500. */
  reachable = false;

  readonly baseUrl: string;
  readonly #agent: Agent;
  #token = '';

  constructor(options: RelayApiOptions) {
    this.baseUrl = options.baseUrl;
    this.#agent = new Agent({
      connect: { timeout: CONNECT_TIMEOUT_MS, ...(options.ca === null ? {} : { ca: [...options.ca] }) },
      connections: CONNECTIONS_MAX,
    });
  }

  /** Bearer token of all calls but `register`. */
  get token(): string {
    return this.#token;
  }

  setToken(token: string): void {
    this.#token = token;
  }

  register(body: RegisterRequest): Promise<RegisterAnswer> {
    return this.#call({
      method: 'POST',
      path: '/register',
      body,
      timeoutMs: CALL_TIMEOUT_MS,
      schema: registerAnswerSchema,
    });
  }

  attach(body: AttachRequest): Promise<AttachAnswer> {
    return this.#call({
      method: 'POST',
      path: '/attach',
      body,
      timeoutMs: CALL_TIMEOUT_MS,
      schema: attachAnswerSchema,
    });
  }

  async detach(body: DetachRequest): Promise<void> {
    await this.#call({ method: 'POST', path: '/detach', body, timeoutMs: CALL_TIMEOUT_MS, schema: null });
  }

  lookup(endpoint: string): Promise<LookupAnswer> {
    const path = `/lookup?endpoint=${encodeURIComponent(endpoint)}`;
    return this.#call({ method: 'GET', path, timeoutMs: LOOKUP_TIMEOUT_MS, schema: lookupAnswerSchema });
  }

  usage(body: UsageRequest): Promise<UsageAnswer> {
    return this.#call({ method: 'POST', path: '/usage', body, timeoutMs: CALL_TIMEOUT_MS, schema: usageAnswerSchema });
  }

  async connections(body: ConnectionsRequest): Promise<void> {
    await this.#call({ method: 'POST', path: '/connections', body, timeoutMs: CALL_TIMEOUT_MS, schema: null });
  }

  /** What has changed since a version; keys are in it. */
  certificates(since: number): Promise<CertificatesAnswer> {
    const schema = certificatesAnswerSchema;
    return this.#call({ method: 'GET', path: `/certificates?since=${since}`, timeoutMs: CALL_TIMEOUT_MS, schema });
  }

  /** What is to be answered to a certificate authority; null: nothing. */
  async acmeChallenge(token: string, host: string): Promise<string | null> {
    const path = `/acme-challenge?${new URLSearchParams({ token, host }).toString()}`;
    const schema = acmeChallengeAnswerSchema;
    return (await this.#call({ method: 'GET', path, timeoutMs: LOOKUP_TIMEOUT_MS, schema })).key_authorization;
  }

  async peers(): Promise<NodeAddress[]> {
    const schema = peersAnswerSchema;
    return (await this.#call({ method: 'GET', path: '/peers', timeoutMs: CALL_TIMEOUT_MS, schema })).peers;
  }

  /** Asks for the relay's DNS records to be gone, and waits until they are, a few seconds at the most. */
  withdraw(): Promise<WithdrawAnswer> {
    const schema = withdrawAnswerSchema;
    return this.#call({ method: 'POST', path: '/withdraw', body: {}, timeoutMs: CALL_TIMEOUT_MS, schema });
  }

  keys(): Promise<Jwks> {
    return this.#call({ method: 'GET', path: '/keys', timeoutMs: CALL_TIMEOUT_MS, schema: jwksSchema });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #call<T>(call: Call<T>): Promise<T> {
    const { method, path, body, timeoutMs, schema } = call;
    const headers: Record<string, string> = { accept: 'application/json' };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (this.#token !== '' && path !== '/register') headers['authorization'] = `Bearer ${this.#token}`;
    try {
      const answer = await request(`${this.baseUrl}/relay/v1${path}`, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await answer.body.text();
      this.reachable = answer.statusCode < 500;
      if (answer.statusCode >= 300) throw toError(answer.statusCode, answer.headers['retry-after'], text);
      return schema === null ? (undefined as T) : schema.parse(JSON.parse(text));
    } catch (error) {
      if (error instanceof ControlPlaneError) {
        if (error.status === 401 && path !== '/register') this.onUnauthorized();
        throw error;
      }
      this.reachable = false;
      const reason = error instanceof Error ? error.message : String(error);
      const details = { status: 0, code: '', retryAfterMs: null };
      throw new ControlPlaneError(`The control plane does not answer: ${reason}`, details, { cause: error });
    }
  }
}

function toError(status: number, retryAfter: string | string[] | undefined, text: string): ControlPlaneError {
  const problem = readProblem(text);
  const seconds = Number(retryAfter);
  const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null;
  return new ControlPlaneError(problem.detail ?? `The control plane answers ${status}`, {
    status,
    code: problem.code ?? '',
    retryAfterMs,
  });
}

/** @see RFC 9457 */
function readProblem(text: string): { code?: string; detail?: string } {
  try {
    const problem: unknown = JSON.parse(text);
    if (typeof problem !== 'object' || problem === null) return {};
    return {
      ...('code' in problem && typeof problem.code === 'string' ? { code: problem.code } : {}),
      ...('detail' in problem && typeof problem.detail === 'string' ? { detail: problem.detail } : {}),
    };
  } catch {
    return {};
  }
}
