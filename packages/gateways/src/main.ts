import { createLogger } from '@tunnox/observability/logger';
import { parseGatewaysConfig } from './config.ts';
import { NeonGateway } from './neon-gateway.ts';
import { UpstashGateway } from './upstash-gateway.ts';

/**
 * Runs the gateways of a self-hosted control plane: a Neon-compatible one in front of `DATABASE_URL`, an
 * Upstash-compatible one in front of `REDIS_URL` (with `UPSTASH_REDIS_REST_TOKEN`), until SIGTERM or SIGINT.
 */
async function main(): Promise<void> {
  const log = createLogger({ name: 'gateways', level: 'info' });
  const { host, neon, upstash } = parseGatewaysConfig(process.env);
  const gateways = [
    ...(neon === null ? [] : [new NeonGateway({ log }, { host, ...neon })]),
    ...(upstash === null ? [] : [new UpstashGateway({ log }, { host, ...upstash })]),
  ];
  const stop = async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop());
  try {
    for (const gateway of gateways) {
      await gateway.start();
      log.info({ url: gateway.url, gateway: gateway.constructor.name }, 'Gateway is ready');
    }
  } catch (error) {
    await stop();
    throw error;
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
