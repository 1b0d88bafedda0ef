import { resolve } from 'node:path';
import { parseEnvironment } from '@tunnox/config/parse-environment';
import { flag, integer, url } from '@tunnox/config/values';
import { z } from 'zod';
import { PASSED_ON } from './child-environment.ts';
import { portBaseMax } from './port-plan.ts';

export const RELAY_COUNT = 2;

export type RedisChoice =
  | { kind: 'none' }
  /** A plain Redis: relays use it directly, the Worker through a gateway of ours. */
  | { kind: 'plain'; redisUrl: string }
  | { kind: 'upstash'; url: string; token: string };

export interface StackConfig {
  /** Absolute path. */
  home: string;
  portBase: number;
  /** Start dead parts again. */
  restart: boolean;
  demo: boolean;
  redis: RedisChoice;
}

/** Variables of the relays, and of the command: those mean nothing here but may stand in the same shell. */
const OTHERS = [
  ...PASSED_ON,
  'TUNNOX_SERVER',
  'TUNNOX_API_KEY',
  'TUNNOX_TRANSPORT',
  'TUNNOX_CONFIG_DIR',
  'TUNNOX_CA_FILE',
];

/**
 * @param cwd What a relative TUNNOX_HOME starts from.
 * @throws {ConfigError}
 */
export function parseStackConfig(environment: NodeJS.ProcessEnv, cwd: string): StackConfig {
  const values = parseEnvironment(environment, {
    shape: {
      TUNNOX_HOME: z.string().default('.tunnox'),
      TUNNOX_PORT_BASE: integer(1024, portBaseMax(RELAY_COUNT)).default(9000),
      TUNNOX_RESTART: flag().default(true),
      TUNNOX_DEMO: flag().default(true),
      REDIS_URL: url(['redis:', 'rediss:']).optional(),
      UPSTASH_REDIS_REST_URL: url(['http:', 'https:']).optional(),
      UPSTASH_REDIS_REST_TOKEN: z.string().optional(),
    },
    prefix: 'TUNNOX_',
    secrets: ['REDIS_URL', 'UPSTASH_REDIS_REST_TOKEN'],
    others: OTHERS,
  });
  return {
    home: resolve(cwd, values.TUNNOX_HOME),
    portBase: values.TUNNOX_PORT_BASE,
    restart: values.TUNNOX_RESTART,
    demo: values.TUNNOX_DEMO,
    redis: chooseRedis(values.REDIS_URL, values.UPSTASH_REDIS_REST_URL, values.UPSTASH_REDIS_REST_TOKEN),
  };
}

function chooseRedis(
  redisUrl: string | undefined,
  upstashUrl: string | undefined,
  token: string | undefined,
): RedisChoice {
  if (redisUrl !== undefined) return { kind: 'plain', redisUrl };
  if (upstashUrl !== undefined && token !== undefined) return { kind: 'upstash', url: upstashUrl, token };
  return { kind: 'none' };
}
