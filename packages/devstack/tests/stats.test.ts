import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import type { Connection } from '@tunnox/domain/api/connections';
import type { ClientStats, MappingStats, SystemStats, TimeSeries, UserStats } from '@tunnox/domain/api/stats';
import { startAgent } from '@tunnox/testing/agent';
import { type RunningStack, startStack } from '@tunnox/testing/stack';
import { eventually } from './support/eventually.ts';
import { api, createTenant, type Tenant } from './support/tenant.ts';

const SENT = 40_001;
const ANSWERED = 60_007;
/** A relay reports every minute, and sooner when so much of a limit is used. */
const MONTHLY_LIMIT = 3 * (SENT + ANSWERED);
const REPORTED_MS = 90_000;

describe('what is shown of traffic', () => {
  let platform: RunningStack;
  let tenant: Tenant;
  before(async () => {
    platform = await startStack({ env: { TUNNOX_DEMO: 'off' } });
    tenant = await createTenant(platform.stack);
    const path = `/api/v1/users/${tenant.userId}/quota`;
    const limit = { monthly_traffic_limit: MONTHLY_LIMIT };
    await api(platform.stack, platform.stack.operator_key, 'POST', path, limit);
  });
  after(() => platform.stop());

  const get = <T>(path: string, key = tenant.apiKey) => api<T>(platform.stack, key, 'GET', `/api/v1${path}`);

  it('is, after a report, every byte that went through a tunnel: in totals, series and the connection log', async () => {
    const target = createServer({ allowHalfOpen: true }, (socket) => {
      void buffer(socket).then(({ length }) => socket.end(Buffer.alloc(length === SENT ? ANSWERED : 1)));
    });
    target.listen(0, '127.0.0.1');
    await once(target, 'listening');
    const agent = await startAgent(platform, ['tcp', String((target.address() as AddressInfo).port)], tenant.apiKey);
    try {
      const { hostname, port } = new URL((await agent.ready()).url);
      const visitor = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
      visitor.end(Buffer.alloc(SENT));
      assert.equal((await buffer(visitor)).length, ANSWERED);

      const { mappings } = await get<{ mappings: { mapping_id: number; target_client_id: number }[] }>('/mappings');
      const { mapping_id: mappingId, target_client_id: clientId } = mappings[0] ?? assert.fail();
      const mapping = await eventually(
        () => get<MappingStats>(`/stats/mappings/${mappingId}?step=hour`),
        (stats) => stats.total_bytes_in + stats.total_bytes_out >= SENT + ANSWERED,
        REPORTED_MS,
      );
      assert.deepEqual(
        [mapping.total_bytes_in, mapping.total_bytes_out, mapping.total_connections, mapping.active],
        [SENT, ANSWERED, 1, true],
      );
      assert.deepEqual(sumOf(mapping.series), [SENT, ANSWERED, 1]);

      const user = await get<UserStats>(`/stats/users/${tenant.userId}?step=day`);
      assert.deepEqual(
        [
          user.total_clients,
          user.online_clients,
          user.total_mappings,
          user.active_mappings,
          user.current_month_traffic,
        ],
        [1, 1, 1, 1, SENT + ANSWERED],
      );
      assert.deepEqual(sumOf(user.series), [SENT, ANSWERED, 1]);
      const client = await get<ClientStats>(`/stats/clients/${clientId}?step=hour`);
      assert.deepEqual([client.total_bytes_received, client.total_bytes_sent], [SENT, ANSWERED]);
      assert.deepEqual(sumOf(client.series), [SENT, ANSWERED, 1]);
      const system = await get<SystemStats>('/stats/system?step=hour', platform.stack.operator_key);
      assert.deepEqual(
        [system.online_clients, system.active_mappings, system.total_nodes, ...sumOf(system.series)],
        [1, 1, 2, SENT, ANSWERED, 1],
      );

      const { connections } = await eventually(
        () => get<{ connections: Connection[] }>(`/connections?mapping_id=${mappingId}`),
        (page) => page.connections.length > 0,
        REPORTED_MS,
      );
      const [{ tunnel_id, node_id, started_at, duration_ms, ...line } = assert.fail(), ...others] = connections;
      assert.deepEqual(line, {
        ...{ binding_id: `mapping:${mappingId}`, client_id: clientId, user_id: tenant.userId, visitor: '127.0.0.1' },
        ...{ bytes_in: SENT, bytes_out: ANSWERED, close_reason: 'closed' },
      });
      assert.deepEqual(others, []);
      assert.match(tunnel_id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
      assert.ok(platform.stack.relays.some((relay) => relay.node_id === node_id));
      assert.ok(Date.now() - Date.parse(started_at) < 120_000 && duration_ms >= 0 && duration_ms < 60_000);
      await agent.stop();
      await eventually(
        () => get<UserStats>(`/stats/users/${tenant.userId}`),
        (stats) => stats.online_clients === 0 && stats.active_mappings === 0,
      );
      const later = await eventually(
        () => get<ClientStats>(`/stats/clients/${clientId}`),
        (stats) => stats.online_duration > 0,
      );
      assert.ok(later.online_duration < 180, `${later.online_duration} s online`);
    } finally {
      await agent.stop();
      target.close();
    }
  });
});

function sumOf(series: TimeSeries | null): [number, number, number] {
  assert.ok(series);
  const sum: [number, number, number] = [0, 0, 0];
  for (const { bytes_in, bytes_out, connections } of series.points) {
    sum[0] += bytes_in;
    sum[1] += bytes_out;
    sum[2] += connections;
  }
  return sum;
}
