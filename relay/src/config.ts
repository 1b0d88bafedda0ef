import { ConfigError, type ConfigProblem } from '@tunnox/config/config-error';
import { type EnvironmentSpec, parseEnvironment } from '@tunnox/config/parse-environment';
import { flag, integer, list, type PortRange, port, portRange, url } from '@tunnox/config/values';
import { LOG_LEVELS, type LogLevel } from '@tunnox/observability/logger';
import { z } from 'zod';
import { isRange } from './limits/access-list.ts';

/** Everything that can be set about a relay; README.md says what each is for. */
export interface RelayConfig {
  apiUrl: string;
  apiCaFile: string | null;
  joinToken: string | null;
  stateDir: string;
  bind: string;
  publicAddress: string;
  /** For DNS records; null: `publicAddress`, if it is an address of the kind. */
  publicIpv4: string | null;
  publicIpv6: string | null;
  internalAddress: string | null;
  region: string;
  ports: {
    agentTcp: number;
    agentWs: number;
    http: number;
    https: number;
    bridge: number;
    metrics: number;
    public: PortRange;
  };
  metricsBind: string;
  /** Certificates for visitors' HTTPS, the first is for who names none; empty: HTTPS is not served. */
  tls: { certFile: string; keyFile: string }[];
  redis: { kind: 'none' } | { kind: 'plain'; url: string } | { kind: 'upstash'; url: string; token: string };
  trustedProxies: string[];
  insecureAgents: boolean;
  warningPage: boolean;
  drainMs: number;
  logLevel: LogLevel;
}

const address = () =>
  z
    .string()
    .max(255)
    .regex(/^[A-Za-z0-9.:_-]+$/, 'must be a host name or an IP address without a port');

const spec = {
  prefix: 'TUNNOX_',
  secrets: ['TUNNOX_JOIN_TOKEN', 'REDIS_URL', 'UPSTASH_REDIS_REST_TOKEN'] as const,
  others: [
    'TUNNOX_API_KEY',
    'TUNNOX_CA_FILE',
    'TUNNOX_CONFIG_DIR',
    'TUNNOX_DEMO',
    'TUNNOX_HOME',
    'TUNNOX_PORT_BASE',
    'TUNNOX_RESTART',
    'TUNNOX_SERVER',
    'TUNNOX_TRANSPORT',
  ],
  shape: {
    TUNNOX_API_URL: url(['http:', 'https:']),
    TUNNOX_API_CA_FILE: z.string().optional(),
    TUNNOX_JOIN_TOKEN: z.string().max(256).optional(),
    TUNNOX_STATE_DIR: z.string(),
    TUNNOX_BIND: address().default('0.0.0.0'),
    TUNNOX_PUBLIC_ADDRESS: address(),
    TUNNOX_PUBLIC_IPV4: z.ipv4('must be an IPv4 address').optional(),
    TUNNOX_PUBLIC_IPV6: z.ipv6('must be an IPv6 address').optional(),
    TUNNOX_INTERNAL_ADDRESS: address().optional(),
    TUNNOX_REGION: z.string().max(32).default('default'),
    TUNNOX_AGENT_TCP_PORT: port().default(8080),
    TUNNOX_AGENT_WS_PORT: port().default(8081),
    TUNNOX_HTTP_PORT: port().default(80),
    TUNNOX_HTTPS_PORT: port().default(443),
    TUNNOX_BRIDGE_PORT: port().default(8443),
    TUNNOX_METRICS_PORT: port().default(9090),
    TUNNOX_METRICS_BIND: address().default('127.0.0.1'),
    TUNNOX_PUBLIC_PORTS: portRange().default({ from: 20_000, to: 20_099 }),
    TUNNOX_TLS_CERT_FILE: list().default([]),
    TUNNOX_TLS_KEY_FILE: list().default([]),
    REDIS_URL: url(['redis:', 'rediss:']).optional(),
    UPSTASH_REDIS_REST_URL: url(['http:', 'https:']).optional(),
    UPSTASH_REDIS_REST_TOKEN: z.string().optional(),
    TUNNOX_TRUSTED_PROXIES: list().default([]),
    TUNNOX_INSECURE_AGENTS: flag().default(false),
    TUNNOX_WARNING_PAGE: flag().default(true),
    TUNNOX_DRAIN_SECONDS: integer(0, 86_400).default(30),
    TUNNOX_LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).default('info'),
  },
} satisfies EnvironmentSpec<z.ZodRawShape>;

type Environment = ReturnType<typeof parseEnvironment<(typeof spec)['shape']>>;

/** @throws {ConfigError} naming every variable that cannot be used */
export function parseRelayConfig(environment: Readonly<Record<string, string | undefined>>): RelayConfig {
  const values = parseEnvironment(environment, spec);
  const problems = contradictions(values);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    apiUrl: values.TUNNOX_API_URL,
    apiCaFile: values.TUNNOX_API_CA_FILE ?? null,
    joinToken: values.TUNNOX_JOIN_TOKEN ?? null,
    stateDir: values.TUNNOX_STATE_DIR,
    bind: values.TUNNOX_BIND,
    publicAddress: values.TUNNOX_PUBLIC_ADDRESS,
    publicIpv4: values.TUNNOX_PUBLIC_IPV4 ?? null,
    publicIpv6: values.TUNNOX_PUBLIC_IPV6 ?? null,
    internalAddress: values.TUNNOX_INTERNAL_ADDRESS ?? null,
    region: values.TUNNOX_REGION,
    ports: {
      agentTcp: values.TUNNOX_AGENT_TCP_PORT,
      agentWs: values.TUNNOX_AGENT_WS_PORT,
      http: values.TUNNOX_HTTP_PORT,
      https: values.TUNNOX_HTTPS_PORT,
      bridge: values.TUNNOX_BRIDGE_PORT,
      metrics: values.TUNNOX_METRICS_PORT,
      public: values.TUNNOX_PUBLIC_PORTS,
    },
    metricsBind: values.TUNNOX_METRICS_BIND,
    tls: values.TUNNOX_TLS_CERT_FILE.map((certFile, index) => ({
      certFile,
      keyFile: values.TUNNOX_TLS_KEY_FILE[index] ?? '',
    })),
    redis: redisOf(values),
    trustedProxies: values.TUNNOX_TRUSTED_PROXIES,
    insecureAgents: values.TUNNOX_INSECURE_AGENTS,
    warningPage: values.TUNNOX_WARNING_PAGE,
    drainMs: values.TUNNOX_DRAIN_SECONDS * 1000,
    logLevel: values.TUNNOX_LOG_LEVEL,
  };
}

function redisOf(values: Environment): RelayConfig['redis'] {
  const { REDIS_URL, UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN } = values;
  if (REDIS_URL !== undefined) return { kind: 'plain', url: REDIS_URL };
  if (UPSTASH_REDIS_REST_URL === undefined || UPSTASH_REDIS_REST_TOKEN === undefined) return { kind: 'none' };
  return { kind: 'upstash', url: UPSTASH_REDIS_REST_URL, token: UPSTASH_REDIS_REST_TOKEN };
}

function contradictions(values: Environment): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (values.TUNNOX_TLS_CERT_FILE.length !== values.TUNNOX_TLS_KEY_FILE.length) {
    problems.push({ key: 'TUNNOX_TLS_KEY_FILE', message: 'must name one key for each file of TUNNOX_TLS_CERT_FILE' });
  }
  if ((values.UPSTASH_REDIS_REST_URL === undefined) !== (values.UPSTASH_REDIS_REST_TOKEN === undefined)) {
    problems.push({ key: 'UPSTASH_REDIS_REST_TOKEN', message: 'must be set together with UPSTASH_REDIS_REST_URL' });
  }
  if (values.REDIS_URL !== undefined && values.UPSTASH_REDIS_REST_URL !== undefined) {
    problems.push({
      key: 'REDIS_URL',
      message: 'must not be set together with UPSTASH_REDIS_REST_URL: keep one of them',
    });
  }
  for (const range of values.TUNNOX_TRUSTED_PROXIES.filter((text) => !isRange(text))) {
    problems.push({
      key: 'TUNNOX_TRUSTED_PROXIES',
      message: `must hold ranges such as 10.0.0.0/8: '${range}' is none`,
    });
  }
  const named = namedPorts(values);
  const { from, to } = values.TUNNOX_PUBLIC_PORTS;
  for (const [index, [key, number]] of named.entries()) {
    const twin = named.slice(0, index).find(([, other]) => other === number);
    if (twin !== undefined) problems.push({ key, message: `must not be the same port as ${twin[0]}` });
    if (number >= from && number <= to) problems.push({ key, message: 'must lie outside of TUNNOX_PUBLIC_PORTS' });
  }
  return problems;
}

function namedPorts(values: Environment): [key: string, port: number][] {
  return [
    ['TUNNOX_AGENT_TCP_PORT', values.TUNNOX_AGENT_TCP_PORT],
    ['TUNNOX_AGENT_WS_PORT', values.TUNNOX_AGENT_WS_PORT],
    ['TUNNOX_HTTP_PORT', values.TUNNOX_HTTP_PORT],
    ['TUNNOX_HTTPS_PORT', values.TUNNOX_HTTPS_PORT],
    ['TUNNOX_BRIDGE_PORT', values.TUNNOX_BRIDGE_PORT],
    ['TUNNOX_METRICS_PORT', values.TUNNOX_METRICS_PORT],
  ];
}
