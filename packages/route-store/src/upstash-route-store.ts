import { Redis } from '@upstash/redis/cloudflare';
import {
  type RedisCommands,
  RedisRouteStore,
  type RedisRouteStoreOptions,
  type ResolveReply,
} from './redis-route-store.ts';
import { PUT_SCRIPT, RESOLVE_SCRIPT } from './redis-scripts.ts';
import type { RouteStore } from './route-store.ts';

export interface UpstashRouteStoreOptions extends RedisRouteStoreOptions {
  /** REST address of Upstash, or of an Upstash-compatible gateway. */
  url: string;
  token: string;
  /** Limit for each call. */
  timeoutMs?: number;
}

/** A store in Upstash, over HTTP: works in workerd and in Node, and holds no connection. */
export function openUpstashRouteStore(options: UpstashRouteStoreOptions): RouteStore {
  const timeoutMs = options.timeoutMs ?? 500;
  const redis = new Redis({
    url: options.url,
    token: options.token,
    signal: () => AbortSignal.timeout(timeoutMs),
    retry: false,
    enableTelemetry: false,
    automaticDeserialization: false,
    readYourWrites: false,
  });
  const put = redis.createScript<number>(PUT_SCRIPT);
  const resolve = redis.createScript<ResolveReply | null>(RESOLVE_SCRIPT);
  const commands: RedisCommands = {
    get: (key) => redis.get<string>(key),
    put: (key, value, ttlMs) => put.exec([key], [value, String(ttlMs)]),
    resolve: (key, presencePrefix, nodePrefix) => resolve.exec([key], [presencePrefix, nodePrefix]),
    close: async () => {},
  };
  return new RedisRouteStore(commands, options);
}
