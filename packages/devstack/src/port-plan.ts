/** Ports of one relay, all on 127.0.0.1. */
export interface RelayPorts {
  agentTcp: number;
  agentWs: number;
  http: number;
  https: number;
  bridge: number;
  metrics: number;
  publicFrom: number;
  /** Included. */
  publicTo: number;
}

/** Ports of one platform: a block from its base. */
export interface PortPlan {
  api: number;
  postgres: number;
  neonGateway: number;
  upstashGateway: number;
  relays: RelayPorts[];
}

const FIRST_RELAY = 10;
const PER_RELAY = 30;
const PUBLIC_FROM = 10;
const PUBLIC_COUNT = 20;

/** The highest base whose block ends at port 65535 or before. */
export function portBaseMax(relayCount: number): number {
  return 65_536 - FIRST_RELAY - PER_RELAY * relayCount;
}

/** @param base Number of the first port. */
export function planPorts(base: number, relayCount: number): PortPlan {
  return {
    api: base,
    postgres: base + 1,
    neonGateway: base + 2,
    upstashGateway: base + 3,
    relays: Array.from({ length: relayCount }, (_, index) => relayPorts(base, index + 1)),
  };
}

/** @param number 1 for the first relay. */
export function relayPorts(base: number, number: number): RelayPorts {
  const first = base + FIRST_RELAY + PER_RELAY * (number - 1);
  return {
    agentTcp: first,
    agentWs: first + 1,
    http: first + 2,
    https: first + 3,
    bridge: first + 4,
    metrics: first + 5,
    publicFrom: first + PUBLIC_FROM,
    publicTo: first + PUBLIC_FROM + PUBLIC_COUNT - 1,
  };
}

/** Every port that is listened on from the start, with what it is for. */
export function listeningPorts(plan: PortPlan, redis: boolean): [port: number, use: string][] {
  return [
    [plan.api, 'the API'],
    [plan.postgres, 'Postgres'],
    [plan.neonGateway, 'the gateway to Postgres'],
    ...(redis ? [[plan.upstashGateway, 'the gateway to Redis'] as [number, string]] : []),
    ...plan.relays.flatMap((relay, index): [number, string][] => [
      [relay.agentTcp, `agents at relay ${index + 1}`],
      [relay.agentWs, `agents by WebSocket at relay ${index + 1}`],
      [relay.http, `HTTP at relay ${index + 1}`],
      [relay.https, `HTTPS at relay ${index + 1}`],
      [relay.bridge, `the bridge of relay ${index + 1}`],
      [relay.metrics, `metrics of relay ${index + 1}`],
    ]),
  ];
}
