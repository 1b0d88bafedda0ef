import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServerCertificateFiles } from '@tunnox/certificates/development-ca';
import { z } from 'zod';
import { Child } from './child.ts';
import { childEnvironment } from './child-environment.ts';
import type { Running } from './keeper.ts';
import { LogFile } from './log-file.ts';
import type { RelayPorts } from './port-plan.ts';
import type { RedisChoice } from './stack-config.ts';

export interface RelayPartOptions {
  /** 1 for the first. */
  number: number;
  home: string;
  ports: RelayPorts;
  apiUrl: string;
  joinToken: string;
  /** null: HTTPS is served with what the control plane delivers. */
  certificate: ServerCertificateFiles | null;
  redis: RedisChoice;
}

const MAIN = fileURLToPath(new URL('../../../relay/src/main.ts', import.meta.url));
const HOST = '127.0.0.1';
/** What a relay says to the process that started it. */
const readySchema = z.object({ type: z.literal('ready'), node_id: z.string() });
const START_TIMEOUT_MS = 30_000;
/** For the agents to leave; visitors of a laptop do not need a long drain. */
const DRAIN_S = 1;
const STOP_GRACE_MS = 5000;

/** Where a relay keeps its key, and so its id. */
export function relayStateDir(home: string, number: number): string {
  return join(home, `relay-${number}`);
}

export interface RunningRelay extends Running {
  nodeId: string;
}

/** Starts one relay of the platform and waits until it serves. */
export async function startRelay(options: RelayPartOptions): Promise<RunningRelay> {
  const { number, home, ports, certificate } = options;
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  let nodeId = '';
  const child = await Child.start({
    name: `Relay ${number}`,
    args: [MAIN],
    log: new LogFile(join(home, 'logs', `relay-${number}.log`)),
    env: childEnvironment(process.env, {
      TUNNOX_API_URL: options.apiUrl,
      TUNNOX_JOIN_TOKEN: options.joinToken,
      TUNNOX_STATE_DIR: relayStateDir(home, number),
      TUNNOX_BIND: HOST,
      TUNNOX_PUBLIC_ADDRESS: HOST,
      TUNNOX_AGENT_TCP_PORT: String(ports.agentTcp),
      TUNNOX_AGENT_WS_PORT: String(ports.agentWs),
      TUNNOX_HTTP_PORT: String(ports.http),
      TUNNOX_HTTPS_PORT: String(ports.https),
      TUNNOX_BRIDGE_PORT: String(ports.bridge),
      TUNNOX_METRICS_PORT: String(ports.metrics),
      TUNNOX_PUBLIC_PORTS: `${ports.publicFrom}-${ports.publicTo}`,
      ...(certificate === null
        ? {}
        : { TUNNOX_TLS_CERT_FILE: certificate.certFile, TUNNOX_TLS_KEY_FILE: certificate.keyFile }),
      TUNNOX_DRAIN_SECONDS: String(DRAIN_S),
      ...redisVariables(options.redis),
    }),
    onMessage: (message) => {
      const parsed = readySchema.safeParse(message);
      if (!parsed.success) return;
      nodeId = parsed.data.node_id;
      resolve();
    },
  });
  try {
    await child.waitUntil(ready, START_TIMEOUT_MS);
  } catch (error) {
    await child.stop(STOP_GRACE_MS);
    throw error;
  }
  return { nodeId, pid: child.pid, exited: child.exited, stop: () => child.stop(STOP_GRACE_MS) };
}

function redisVariables(redis: RedisChoice): Record<string, string> {
  switch (redis.kind) {
    case 'none':
      return {};
    case 'plain':
      return { REDIS_URL: redis.redisUrl };
    case 'upstash':
      return { UPSTASH_REDIS_REST_URL: redis.url, UPSTASH_REDIS_REST_TOKEN: redis.token };
  }
}
