import type { BridgeServerSnapshot } from '../bridge/bridge-server.ts';
import type { PeerSnapshot } from '../bridge/bridge-client.ts';
import type { FetcherSnapshot } from '../control-plane/certificate-fetcher.ts';
import type { ConnectionLogSnapshot } from '../control-plane/connection-log.ts';
import type { ConnectionGateSnapshot } from '../listener/connection-gate.ts';
import type { DeliveredSnapshot } from '../listener/delivered-certificates.ts';
import type { ProxySnapshot } from '../proxy/proxy-metrics.ts';
import type { TcpProxySnapshot } from '../proxy/tcp-proxy.ts';
import type { VisitServerSnapshot } from '../proxy/visit-server.ts';
import type { AgentSessionsSnapshot } from '../session/agent-session-server.ts';

/** Life of a relay, in this order. */
export type RelayPhase = 'registering' | 'starting' | 'online' | 'draining' | 'stopped';

/** Everything that a registered relay counts, as `/status` shows it and `/metrics` reads it. */
export interface RelayCounts {
  nodeId: string;
  incarnation: string;
  group: string;
  sessions: { sessions: number; arriving: number; ending: number; tunnels: number };
  agents: AgentSessionsSnapshot;
  /** Source agents of private mappings. */
  visits: VisitServerSnapshot;
  /** Tunnels whose agents are attached here. */
  tunnels: { tunnels: number; bytesIn: number; bytesOut: number };
  connectionLog: ConnectionLogSnapshot;
  http: ProxySnapshot;
  tcp: TcpProxySnapshot;
  bridge: { peers: PeerSnapshot[]; server: BridgeServerSnapshot; strangers: number };
  gates: { agents: ConnectionGateSnapshot; visitors: ConnectionGateSnapshot };
  router: {
    decisions: { hits: number; misses: number; unknownHits: number; stale: number };
    lookups: { projection: number; projectionErrors: number; owner: number; ownerErrors: number };
    cache: { routes: number; places: number; unknown: number };
    running: number;
  };
  /** Certificates that the control plane has delivered. */
  certificates: DeliveredSnapshot & FetcherSnapshot;
  controlPlane: { online: boolean; reachable: boolean; attachmentsPending: number; peers: number };
}

export interface RelayStatus {
  version: string;
  phase: RelayPhase;
  /** null until the relay is registered. */
  counts: RelayCounts | null;
}
