import { Metrics, type Sample } from '@tunnox/observability/metrics';
import type { RelayCounts, RelayStatus } from './relay-status.ts';

/** One metric: its kind, name, help, labels, and where its values come from. */
type Definition = [
  kind: 'gauge' | 'counter',
  name: string,
  help: string,
  labels: readonly string[],
  read: (counts: RelayCounts) => Iterable<Sample>,
];

/** Metrics of a relay for Prometheus, all named `tunnox_…`, read from its counts at each scrape. */
export function relayMetrics(status: () => RelayStatus): Metrics {
  const metrics = new Metrics({ prefix: 'tunnox_', processMetrics: true });
  metrics.gauge(
    'relay_info',
    'Always 1; says which relay this is.',
    ['version', 'node_id', 'incarnation', 'phase'],
    () => {
      const { version, phase, counts } = status();
      const labels = { version, phase, node_id: counts?.nodeId ?? '', incarnation: counts?.incarnation ?? '' };
      return [{ labels, value: 1 }];
    },
  );
  for (const [kind, name, help, labels, read] of DEFINITIONS) {
    metrics[kind](name, help, labels, () => {
      const { counts } = status();
      return counts === null ? [] : read(counts);
    });
  }
  return metrics;
}

const one = (value: number): Sample[] => [{ value }];

const by = (label: string, values: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));

const eachPeer = (counts: RelayCounts, read: (peer: RelayCounts['bridge']['peers'][number]) => number): Sample[] =>
  counts.bridge.peers.map((peer) => ({ labels: { peer: peer.nodeId }, value: read(peer) }));

const DEFINITIONS: readonly Definition[] = [
  [
    'gauge',
    'agent_sessions',
    'Agents by state.',
    ['state'],
    ({ sessions: { sessions, arriving, ending } }) => by('state', { attached: sessions, arriving, ending }),
  ],
  ['counter', 'agent_sessions_accepted_total', 'Agents that were welcomed.', [], ({ agents }) => one(agents.accepted)],
  [
    'counter',
    'agent_sessions_lost_total',
    'Attached agents whose connection ended.',
    [],
    ({ agents }) => one(agents.lost),
  ],
  [
    'counter',
    'agent_sessions_refused_total',
    'Agents that were turned away.',
    ['code'],
    ({ agents }) => by('code', agents.refused),
  ],
  ['gauge', 'visit_sessions', 'Source agents of private mappings.', [], ({ visits }) => one(visits.sessions)],
  ['gauge', 'visit_tunnels', 'Tunnels of source agents.', [], ({ visits }) => one(visits.tunnelsActive)],
  ['counter', 'visit_tunnels_opened_total', 'Tunnels of source agents.', [], ({ visits }) => one(visits.tunnelsOpened)],
  [
    'counter',
    'visit_sessions_refused_total',
    'Source agents that were turned away.',
    ['code'],
    ({ visits }) => by('code', visits.refused),
  ],
  [
    'counter',
    'visit_tunnels_refused_total',
    'Tunnels of source agents that were refused.',
    ['cause'],
    ({ visits }) => by('cause', visits.tunnelsRefused),
  ],
  ['gauge', 'tunnels', 'Open tunnels of agents that are attached here.', [], ({ tunnels }) => one(tunnels.tunnels)],
  [
    'counter',
    'tunnel_bytes_total',
    'Bytes of these tunnels.',
    ['direction'],
    ({ tunnels: { bytesIn, bytesOut } }) => by('direction', { in: bytesIn, out: bytesOut }),
  ],
  [
    'gauge',
    'connection_log_waiting',
    'Ended tunnels that the control plane is still to be told of.',
    [],
    ({ connectionLog }) => one(connectionLog.waiting),
  ],
  [
    'counter',
    'connection_log_dropped_total',
    'Ended tunnels that will not stand in the connection log.',
    [],
    ({ connectionLog }) => one(connectionLog.dropped),
  ],
  [
    'counter',
    'http_requests_total',
    'Answers to visitors by class of status.',
    ['class'],
    ({ http }) =>
      by('class', Object.fromEntries(http.requestsByClass.map((value, index) => [`${index}xx`, value]).slice(1))),
  ],
  ['gauge', 'http_connections', 'Connections of HTTP visitors.', [], ({ http }) => one(http.connectionsActive)],
  ['counter', 'http_connections_total', 'Connections of HTTP visitors.', [], ({ http }) => one(http.connectionsTotal)],
  [
    'counter',
    'http_connections_refused_total',
    'Turned away because the relay was full.',
    [],
    ({ http }) => one(http.connectionsRefused),
  ],
  [
    'gauge',
    'http_upgrades',
    'Connections that were changed to another protocol.',
    [],
    ({ http }) => one(http.upgradesActive),
  ],
  [
    'counter',
    'http_upgrades_total',
    'Connections that were changed to another protocol.',
    [],
    ({ http }) => one(http.upgradesTotal),
  ],
  [
    'counter',
    'http_tunnels_total',
    'Requests by how they got their tunnel.',
    ['kind'],
    ({ http }) => by('kind', { opened: http.tunnelsOpened, reused: http.tunnelsReused, replayed: http.replays }),
  ],
  [
    'counter',
    'http_failures_total',
    'Connections that ended badly.',
    ['reason'],
    ({ http }) => by('reason', { malformed: http.malformed, timeout: http.timeouts, truncated: http.truncated }),
  ],
  ['gauge', 'tcp_connections', 'Connections at public TCP ports.', [], ({ tcp }) => one(tcp.connectionsActive)],
  ['counter', 'tcp_connections_total', 'Connections at public TCP ports.', [], ({ tcp }) => one(tcp.connectionsTotal)],
  [
    'counter',
    'tcp_connections_refused_total',
    'Connections at public TCP ports without a tunnel.',
    ['cause'],
    ({ tcp }) => by('cause', tcp.refused),
  ],
  [
    'gauge',
    'bridge_pool_connections',
    'Sessions to a peer.',
    ['peer'],
    (counts) => eachPeer(counts, (peer) => peer.sessions),
  ],
  [
    'gauge',
    'bridge_pool_active_streams',
    'Tunnels to a peer.',
    ['peer'],
    (counts) => eachPeer(counts, (peer) => peer.activeStreams),
  ],
  [
    'gauge',
    'bridge_pool_utilization',
    'Tunnels by what the pool may hold at most, 0 to 1.',
    ['peer'],
    (counts) => eachPeer(counts, (peer) => peer.utilization),
  ],
  [
    'counter',
    'bridge_pool_failed_dials_total',
    'Dials to a peer that failed.',
    ['peer'],
    (counts) => eachPeer(counts, (peer) => peer.failedDials),
  ],
  [
    'counter',
    'bridge_tunnels_opened_total',
    'Tunnels opened at a peer.',
    ['peer'],
    (counts) => eachPeer(counts, (peer) => peer.tunnelsOpened),
  ],
  [
    'counter',
    'bridge_bytes_total',
    'Bytes to and from a peer on the wire.',
    ['peer', 'direction'],
    ({ bridge }) =>
      bridge.peers.flatMap(({ nodeId: peer, bytesSent, bytesReceived }) => [
        { labels: { peer, direction: 'out' }, value: bytesSent },
        { labels: { peer, direction: 'in' }, value: bytesReceived },
      ]),
  ],
  ['gauge', 'bridge_server_sessions', 'Sessions from peers.', [], ({ bridge }) => one(bridge.server.sessions)],
  ['gauge', 'bridge_server_tunnels', 'Tunnels from peers.', [], ({ bridge }) => one(bridge.server.tunnelsActive)],
  [
    'counter',
    'bridge_server_refused_total',
    'Tunnels from peers that were refused.',
    ['cause'],
    ({ bridge }) => by('cause', bridge.server.refused),
  ],
  [
    'counter',
    'bridge_strangers_total',
    'Connections with a key that no relay has.',
    [],
    ({ bridge }) => one(bridge.strangers),
  ],
  [
    'gauge',
    'unproved_connections',
    'Connections that have not shown who they are.',
    ['kind'],
    ({ gates }) => by('kind', { agents: gates.agents.waiting, visitors: gates.visitors.waiting }),
  ],
  [
    'counter',
    'unproved_connections_ended_total',
    'Of these, ended for their age or their number.',
    ['kind', 'reason'],
    ({ gates }) =>
      Object.entries(gates).flatMap(([kind, { timedOut, pushedOut }]) => [
        { labels: { kind, reason: 'timeout' }, value: timedOut },
        { labels: { kind, reason: 'crowd' }, value: pushedOut },
      ]),
  ],
  [
    'counter',
    'route_decisions_total',
    'Decisions; stale: by what is past its time, since nobody could be asked.',
    ['result'],
    ({ router: { decisions } }) =>
      by('result', {
        hit: decisions.hits,
        miss: decisions.misses,
        unknown: decisions.unknownHits,
        stale: decisions.stale,
      }),
  ],
  [
    'counter',
    'route_lookups_total',
    'Questions to the next tiers.',
    ['tier', 'outcome'],
    ({ router: { lookups } }) => [
      { labels: { tier: 'redis', outcome: 'answered' }, value: lookups.projection - lookups.projectionErrors },
      { labels: { tier: 'redis', outcome: 'failed' }, value: lookups.projectionErrors },
      { labels: { tier: 'owner', outcome: 'answered' }, value: lookups.owner - lookups.ownerErrors },
      { labels: { tier: 'owner', outcome: 'failed' }, value: lookups.ownerErrors },
    ],
  ],
  ['gauge', 'route_lookups_running', 'Questions that run or wait.', [], ({ router }) => one(router.running)],
  ['gauge', 'route_cache_entries', 'Entries of the process cache.', ['kind'], ({ router }) => by('kind', router.cache)],
  [
    'gauge',
    'control_plane_session_up',
    '1 while the session with the control plane is open.',
    [],
    ({ controlPlane }) => one(controlPlane.online ? 1 : 0),
  ],
  [
    'gauge',
    'control_plane_up',
    '1 when the last call to the control plane was answered.',
    [],
    ({ controlPlane }) => one(controlPlane.reachable ? 1 : 0),
  ],
  [
    'gauge',
    'control_plane_pending_clients',
    'Clients about whom the control plane is still to be told.',
    [],
    ({ controlPlane }) => one(controlPlane.attachmentsPending),
  ],
  [
    'gauge',
    'certificates_loaded',
    'Certificates that the control plane has delivered.',
    [],
    ({ certificates }) => one(certificates.loaded),
  ],
  [
    'gauge',
    'certificate_days_left',
    'Days until a delivered certificate ends: the fifty that end first.',
    ['name'],
    ({ certificates }) =>
      certificates.ending.map(({ name, notAfterMs }) => ({
        labels: { name },
        value: (notAfterMs - Date.now()) / 86_400_000,
      })),
  ],
  [
    'counter',
    'certificates_refused_total',
    'Delivered certificates that could not be used.',
    [],
    ({ certificates }) => one(certificates.refused),
  ],
  [
    'counter',
    'certificate_fetch_failures_total',
    'Fetches of certificates that have failed.',
    [],
    ({ certificates }) => one(certificates.failures),
  ],
  [
    'gauge',
    'certificate_fetch_error',
    '1 while the last fetch of certificates has failed.',
    [],
    ({ certificates }) => one(certificates.lastError === null ? 0 : 1),
  ],
  [
    'gauge',
    'certificates_fetched_at_seconds',
    'When certificates were fetched last, in seconds since 1970.',
    [],
    ({ certificates }) => (certificates.fetchedAtS === null ? [] : one(certificates.fetchedAtS)),
  ],
  ['gauge', 'peers', 'Other relays in the directory.', [], ({ controlPlane }) => one(controlPlane.peers)],
];
