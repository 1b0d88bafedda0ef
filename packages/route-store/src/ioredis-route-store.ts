import { Redis } from 'ioredis';
import {
  type RedisCommands,
  RedisRouteStore,
  type RedisRouteStoreOptions,
  type ResolveReply,
} from './redis-route-store.ts';
import { PUT_SCRIPT, RESOLVE_SCRIPT } from './redis-scripts.ts';
import type { RouteStore } from './route-store.ts';

export interface IoredisRouteStoreOptions extends RedisRouteStoreOptions {
  /** `redis://…` or `rediss://…`. */
  url: string;
  /** Limit for each call. A Redis nearby answers in a millisecond; a look-up must not wait long for the next tier. */
  timeoutMs?: number;
}

interface ScriptedRedis extends Redis {
  tunnoxPut(key: string, value: string, ttlMs: number): Promise<number>;
  tunnoxResolve(key: string, presencePrefix: string, nodePrefix: string): Promise<ResolveReply | null>;
}

/** A store in a plain Redis, over one connection that reconnects by itself. Node only. */
export function openIoredisRouteStore(options: IoredisRouteStoreOptions): RouteStore {
  const timeoutMs = options.timeoutMs ?? 250;
  const redis = new Redis(options.url, {
    protocol: 2,
    commandTimeout: timeoutMs,
    connectTimeout: 1000,
    // What was lost with a connection is too old to be sent again: the caller has gone to the next tier.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableReadyCheck: true,
    retryStrategy: (times) => Math.min(times * 100, 1000) + Math.random() * 100,
    scripts: {
      tunnoxPut: { lua: PUT_SCRIPT, numberOfKeys: 1 },
      tunnoxResolve: { lua: RESOLVE_SCRIPT, numberOfKeys: 1 },
    },
  }) as ScriptedRedis;
  // Every call reports its own failure; without a listener the client would print the same again.
  redis.on('error', () => {});
  const commands: RedisCommands = {
    get: (key) => redis.get(key),
    put: (key, value, ttlMs) => redis.tunnoxPut(key, value, ttlMs),
    resolve: (key, presencePrefix, nodePrefix) => redis.tunnoxResolve(key, presencePrefix, nodePrefix),
    close: async () => redis.disconnect(),
  };
  return new RedisRouteStore(commands, options);
}
