import { ConfigError } from '@tunnox/config/config-error';
import { parseEnvironment } from '@tunnox/config/parse-environment';
import { port, url } from '@tunnox/config/values';
import { z } from 'zod';

export interface GatewaysConfig {
  host: string;
  /** Null: no Postgres to stand in front of. */
  neon: { port: number; databaseUrl: string } | null;
  /** Null: no Redis to stand in front of. */
  upstash: { port: number; redisUrl: string; token: string } | null;
}

/** @throws {ConfigError} with every variable that cannot be used. */
export function parseGatewaysConfig(environment: NodeJS.ProcessEnv): GatewaysConfig {
  const values = parseEnvironment(environment, {
    shape: {
      TUNNOX_GATEWAYS_HOST: z.string().default('127.0.0.1'),
      TUNNOX_GATEWAYS_NEON_PORT: port().default(9002),
      TUNNOX_GATEWAYS_UPSTASH_PORT: port().default(9003),
      DATABASE_URL: url(['postgres:', 'postgresql:']).optional(),
      REDIS_URL: url(['redis:', 'rediss:']).optional(),
      UPSTASH_REDIS_REST_TOKEN: z.string().min(16, 'must have 16 characters or more').optional(),
    },
    prefix: 'TUNNOX_GATEWAYS_',
    secrets: ['DATABASE_URL', 'REDIS_URL', 'UPSTASH_REDIS_REST_TOKEN'],
    others: [],
  });
  if (values.DATABASE_URL === undefined && values.REDIS_URL === undefined) {
    throw new ConfigError([{ key: 'DATABASE_URL', message: 'must be set, or REDIS_URL, or both' }]);
  }
  if (values.REDIS_URL !== undefined && values.UPSTASH_REDIS_REST_TOKEN === undefined) {
    throw new ConfigError([{ key: 'UPSTASH_REDIS_REST_TOKEN', message: 'must be set together with REDIS_URL' }]);
  }
  return {
    host: values.TUNNOX_GATEWAYS_HOST,
    neon:
      values.DATABASE_URL === undefined
        ? null
        : { port: values.TUNNOX_GATEWAYS_NEON_PORT, databaseUrl: values.DATABASE_URL },
    upstash:
      values.REDIS_URL === undefined || values.UPSTASH_REDIS_REST_TOKEN === undefined
        ? null
        : {
            port: values.TUNNOX_GATEWAYS_UPSTASH_PORT,
            redisUrl: values.REDIS_URL,
            token: values.UPSTASH_REDIS_REST_TOKEN,
          },
  };
}
