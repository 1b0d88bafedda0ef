import type { IncomingMessage } from 'node:http';
import { Command, Redis } from 'ioredis';
import { type GatewayAnswer, GatewayServer, jsonAnswer } from './gateway-server.ts';
import { secretsEqual } from './secret.ts';
import { parseCommand, parseCommands, type RedisCall, UpstashRequestError } from './upstash-commands.ts';
import { toJsonReply } from './upstash-reply.ts';

export interface UpstashGatewayDeps {
  log: { warn: (fields: object, message: string) => void };
}

export interface UpstashGatewayOptions {
  host: string;
  /** 0: any free port. */
  port: number;
  /** `redis://` or `rediss://` URL of the Redis behind the gateway. */
  redisUrl: string;
  /** Bearer token that callers must show. */
  token: string;
}

/** Upstash's own limit for a request. */
const BODY_BYTES_MAX = 10 * 1024 * 1024;
/** A Redis that does not answer for this long is away for the caller. */
const COMMAND_TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 2000;
const RECONNECT_MS_MAX = 1000;

/**
 * Upstash's REST protocol in front of a plain Redis, as `@upstash/redis` speaks it: `POST /` one command,
 * `POST /pipeline` several, `POST /multi-exec` several as one transaction, texts in base64 on request.
 *
 * An error of Redis is answered with 400 (in a pipeline: with 200 in its place); 503 says that Redis is away (or that
 * the connection broke: the command may then have been carried out).
 */
export class UpstashGateway {
  readonly #deps: UpstashGatewayDeps;
  readonly #options: UpstashGatewayOptions;
  readonly #server: GatewayServer;
  #redis: Redis | undefined;

  constructor(deps: UpstashGatewayDeps, options: UpstashGatewayOptions) {
    if (options.token === '') throw new Error('Cannot use token: it must not be empty');
    this.#deps = deps;
    this.#options = options;
    const { host, port } = options;
    this.#server = new GatewayServer(
      { refuse: (request) => this.#refuse(request), answer: (request, body) => this.#answer(request, body) },
      { host, port, bodyBytesMax: BODY_BYTES_MAX },
    );
  }

  get url(): string {
    return this.#server.url;
  }

  /** Starts also when Redis is away: the connection is tried for ever. */
  async start(): Promise<void> {
    if (this.#redis !== undefined) return;
    const redis = new Redis(this.#options.redisUrl, {
      protocol: 2,
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      retryStrategy: (tries) => Math.min(tries * 50, RECONNECT_MS_MAX),
      // A caller is told at once that Redis is away, and decides itself whether to try again: nothing is sent twice.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
    });
    redis.on('error', (error) => this.#deps.log.warn({ err: error }, 'Redis is away'));
    this.#redis = redis;
    await this.#server.start();
    await settled(redis);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    this.#redis?.disconnect();
    this.#redis = undefined;
  }

  #refuse(request: IncomingMessage): GatewayAnswer | null {
    const authorization = request.headers.authorization ?? '';
    if (!secretsEqual(authorization, `Bearer ${this.#options.token}`)) return errorAnswer(401, 'Unauthorized');
    return request.method === 'POST' ? null : errorAnswer(405, 'ERR commands are sent by POST');
  }

  async #answer(request: IncomingMessage, body: string): Promise<GatewayAnswer> {
    const base64 = request.headers['upstash-encoding'] === 'base64';
    try {
      const json = parseJson(body);
      switch (request.url) {
        case '/':
          return jsonAnswer(200, { result: toJsonReply(await this.#call(parseCommand(json)), base64) });
        case '/pipeline':
          return jsonAnswer(200, await this.#pipeline(parseCommands(json), base64));
        case '/multi-exec':
          return jsonAnswer(200, await this.#transaction(parseCommands(json), base64));
        default:
          return errorAnswer(404, 'ERR unknown path: it must be /, /pipeline or /multi-exec');
      }
    } catch (error) {
      if (error instanceof UpstashRequestError || isRedisError(error)) return errorAnswer(400, error.message);
      this.#deps.log.warn({ err: error }, 'Redis is away');
      return errorAnswer(503, 'ERR Redis is away');
    }
  }

  /** The reply, texts as buffers. Calls made in one turn of the event loop reach Redis in order, with no other between. */
  async #call({ name, args }: RedisCall): Promise<unknown> {
    if (this.#redis === undefined) throw new Error('Cannot call Redis: the gateway is stopped');
    return await this.#redis.sendCommand(new Command(name, args, { replyEncoding: null }));
  }

  async #pipeline(calls: RedisCall[], base64: boolean): Promise<unknown[]> {
    const replies = await Promise.allSettled(calls.map((call) => this.#call(call)));
    return replies.map((reply) => {
      if (reply.status === 'fulfilled') return { result: toJsonReply(reply.value, base64) };
      if (isRedisError(reply.reason)) return { error: reply.reason.message };
      throw reply.reason;
    });
  }

  async #transaction(calls: RedisCall[], base64: boolean): Promise<unknown[]> {
    const replies = await Promise.allSettled(
      [{ name: 'MULTI', args: [] }, ...calls, { name: 'EXEC', args: [] }].map((call) => this.#call(call)),
    );
    const refused = replies.find((reply) => reply.status === 'rejected');
    // The command that Redis did not take says more than the EXECABORT that follows.
    if (refused !== undefined) throw refused.reason;
    const exec = replies.at(-1);
    const results = exec?.status === 'fulfilled' ? (exec.value as unknown[]) : [];
    return results.map((reply) =>
      reply instanceof Error ? { error: reply.message } : { result: toJsonReply(reply, base64) },
    );
  }
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new UpstashRequestError('ERR failed to parse the request body: it must be JSON');
  }
}

/** An error that Redis answered; others are of the connection. */
function isRedisError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

function errorAnswer(status: number, message: string): GatewayAnswer {
  return jsonAnswer(status, { error: message });
}

/** The first try to connect has ended, well or not. */
async function settled(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve) => {
    const done = () => {
      redis.off('ready', done);
      redis.off('close', done);
      resolve();
    };
    redis.once('ready', done);
    redis.once('close', done);
  });
}
