import assert from 'node:assert/strict';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { AdminServer } from './admin-server.ts';
import type { RelayCounts, RelayStatus } from './relay-status.ts';

const counts: RelayCounts = {
  nodeId: 'node-001',
  incarnation: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  group: 'default',
  sessions: { sessions: 3, arriving: 0, ending: 0, tunnels: 5 },
  agents: { accepted: 4, lost: 1, refused: { bad_ticket: 2 } },
  visits: { sessions: 0, tunnelsActive: 0, tunnelsOpened: 0, refused: {}, tunnelsRefused: {} },
  tunnels: { tunnels: 5, bytesIn: 10, bytesOut: 20 },
  connectionLog: { waiting: 1, dropped: 2 },
  http: {
    requestsByClass: [0, 0, 7, 0, 1, 0],
    connectionsTotal: 2,
    connectionsActive: 1,
    connectionsRefused: 0,
    upgradesTotal: 0,
    upgradesActive: 0,
    tunnelsOpened: 1,
    tunnelsReused: 6,
    replays: 0,
    malformed: 1,
    timeouts: 0,
    truncated: 0,
  },
  tcp: { connectionsTotal: 1, connectionsActive: 0, refused: { unknown: 1 } },
  bridge: {
    peers: [
      {
        nodeId: 'node-002',
        sessions: 2,
        dialling: 0,
        activeStreams: 4,
        utilization: 0.5,
        failedDials: 1,
        tunnelsOpened: 9,
        bytesSent: 100,
        bytesReceived: 200,
      },
    ],
    server: { sessions: 1, tunnelsActive: 0, tunnelsOpened: 0, refused: { not_here: 1 } },
    strangers: 0,
  },
  gates: {
    agents: { waiting: 1, timedOut: 2, pushedOut: 3 },
    visitors: { waiting: 0, timedOut: 0, pushedOut: 0 },
  },
  router: {
    decisions: { hits: 11, misses: 2, unknownHits: 1, stale: 5 },
    lookups: { projection: 3, projectionErrors: 1, owner: 2, ownerErrors: 0 },
    cache: { routes: 1, places: 1, unknown: 0 },
    running: 0,
  },
  certificates: {
    ...{ loaded: 1, refused: 0, fetchedAtS: 1_700_000_000, failures: 2, lastError: null },
    ending: [{ name: '*.example.com', notAfterMs: Date.now() + 10.5 * 86_400_000 }],
  },
  controlPlane: { online: true, reachable: false, attachmentsPending: 0, peers: 1 },
};

async function bench(t: TestContext) {
  const status: RelayStatus = { version: '1', phase: 'registering', counts: null };
  const server = new AdminServer(() => status, { host: '127.0.0.1', port: 0, hostNames: ['relay.example.com'] });
  const port = await server.start();
  t.after(() => {
    server.stop();
    server.stop();
  });
  const get = async (path: string, host = `127.0.0.1:${port}`, method = 'GET') => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers: { host } });
    const body = new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      asked.on('error', reject);
      asked.on(
        'response',
        (answer) => void text(answer).then((all) => resolve({ status: answer.statusCode, body: all })),
      );
    });
    asked.end();
    return body;
  };
  return { status, get };
}

test('AdminServer is healthy from the start and ready only while online', async (t) => {
  const { status, get } = await bench(t);
  assert.equal((await get('/healthz')).status, 200);
  for (const [phase, expected] of [
    ['registering', 503],
    ['starting', 503],
    ['online', 200],
    ['draining', 503],
  ] as const) {
    status.phase = phase;
    assert.equal((await get('/readyz')).status, expected, phase);
  }
});

test('AdminServer shows metrics by name, before and after the registration', async (t) => {
  const { status, get } = await bench(t);
  assert.ok((await get('/metrics')).body.includes('phase="registering"'));
  status.counts = counts;
  const { body } = await get('/metrics');
  for (const line of [
    'tunnox_agent_sessions{state="attached"} 3',
    'tunnox_agent_sessions_refused_total{code="bad_ticket"} 2',
    'tunnox_tunnels 5',
    'tunnox_tunnel_bytes_total{direction="out"} 20',
    'tunnox_http_requests_total{class="2xx"} 7',
    'tunnox_http_tunnels_total{kind="reused"} 6',
    'tunnox_bridge_pool_connections{peer="node-002"} 2',
    'tunnox_bridge_pool_active_streams{peer="node-002"} 4',
    'tunnox_bridge_pool_utilization{peer="node-002"} 0.5',
    'tunnox_bridge_bytes_total{peer="node-002",direction="in"} 200',
    'tunnox_route_decisions_total{result="stale"} 5',
    'tunnox_route_lookups_total{tier="redis",outcome="answered"} 2',
    'tunnox_control_plane_session_up 1',
    'tunnox_control_plane_up 0',
    'tunnox_unproved_connections_ended_total{kind="agents",reason="crowd"} 3',
  ]) {
    assert.ok(body.includes(`\n${line}\n`), line);
  }
  assert.match(body, /tunnox_nodejs_eventloop_lag_p99_seconds/);
});

test('AdminServer refuses names of other sites, other methods and other paths', async (t) => {
  const { get } = await bench(t);
  for (const host of ['localhost:9', '127.0.0.1', '[::1]:80', '10.1.2.3', 'relay.example.com', 'LOCALHOST']) {
    assert.equal((await get('/healthz', host)).status, 200, host);
  }
  for (const host of ['evil.example.org', 'localhost.evil.org', 'relay.example.com.evil.org', '127.0.0.1.evil.org']) {
    assert.deepEqual([host, (await get('/healthz', host)).status], [host, 421]);
  }
  assert.equal((await get('/status', 'localhost', 'POST')).status, 405);
  assert.equal((await get('/other')).status, 404);
  assert.deepEqual(JSON.parse((await get('/status?x=1')).body), { version: '1', phase: 'registering', counts: null });
  assert.equal((await get('/status', 'localhost', 'HEAD')).body, '');
});
