import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConnectionsRequest, connectionsRequestSchema } from '@tunnox/domain/relay-api';
import { makeUlid } from '@tunnox/domain/ulid';
import { createLogger } from '@tunnox/observability/logger';
import { FakeClock } from '@tunnox/testing/fake-clock';
import type { LoggedTunnel } from '../upstream/tunnel-log.ts';
import { ConnectionLog } from './connection-log.ts';
import { ConnectionReporter } from './connection-reporter.ts';
import { ControlPlaneError } from './control-plane-error.ts';

const log = createLogger({ name: 'test', level: 'silent' });

function bench(tunnelsMax = 5000) {
  const clock = new FakeClock();
  const connections = new ConnectionLog(clock, tunnelsMax);
  const taken: ConnectionsRequest['connections'][] = [];
  const plane = { status: 204, calls: 0 };
  const api = {
    async connections(body: ConnectionsRequest) {
      plane.calls += 1;
      if (plane.status !== 204)
        throw new ControlPlaneError('no', { status: plane.status, code: '', retryAfterMs: null });
      taken.push(connectionsRequestSchema.parse(body).connections);
    },
  };
  const reporter = new ConnectionReporter({ api, connections, clock, log });
  let made = 0;
  const end = (count: number, change: Partial<LoggedTunnel> = {}) => {
    for (let index = 0; index < count; index += 1) {
      made += 1;
      const random = new Uint8Array(16);
      new DataView(random.buffer).setUint32(12, made);
      connections.ended({
        ...{ tunnelId: makeUlid(clock.now(), random), bindingId: 'mapping:1001', clientId: 600_000_001, userId: null },
        ...{ visitor: '192.0.2.1', startedAtMs: clock.now() - 2000, endedAtMs: clock.now() },
        ...{ meter: { bytesIn: 1, bytesOut: 2 }, closeReason: 'closed' },
        ...change,
      });
    }
  };
  return { clock, connections, taken, plane, reporter, end };
}

/** Lets what was begun come to its end: the fakes answer at once. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

test('ConnectionReporter tells of what has ended, in parts, and of nothing when nothing has', async () => {
  const { clock, connections, taken, plane, reporter, end } = bench();
  reporter.start();
  clock.advance(30_000);
  await turns();
  assert.equal(plane.calls, 0);
  end(1200);
  clock.advance(10_000);
  await turns();
  assert.deepEqual(
    taken.map((part) => part.length),
    [500, 500, 200],
  );
  const at = new Date(clock.now() - 12_000).toISOString();
  const { tunnel_id: _, ...line } = taken[0]?.[0] ?? assert.fail();
  assert.deepEqual(line, {
    ...{ binding_id: 'mapping:1001', client_id: 600_000_001, user_id: null, visitor: '192.0.2.1', started_at: at },
    ...{ duration_ms: 2000, bytes_in: 1, bytes_out: 2, close_reason: 'closed' },
  });
  assert.deepEqual(connections.snapshot(), { waiting: 0, dropped: 0 });
  await reporter.stop();
});

test('ConnectionReporter tells again what did not arrive, and drops what is too much meanwhile', async () => {
  const { clock, connections, taken, plane, reporter, end } = bench(100);
  reporter.start();
  plane.status = 503;
  end(40);
  clock.advance(10_000);
  await turns();
  end(90);
  await turns();
  assert.deepEqual(connections.snapshot(), { waiting: 100, dropped: 30 });
  plane.status = 204;
  clock.advance(10_000);
  await turns();
  assert.equal(taken.flat().length, 100);
  assert.equal(connections.snapshot().waiting, 0);
  await reporter.stop();
});

test('ConnectionReporter does not wait for its time when the log is half full', async () => {
  const { clock, taken, reporter, end } = bench(100);
  reporter.start();
  end(49);
  clock.advance(0);
  await turns();
  assert.equal(taken.length, 0);
  end(1);
  clock.advance(0);
  await turns();
  assert.equal(taken.flat().length, 50);
  await reporter.stop();
});

test('ConnectionReporter gives up what a control plane of before does not know, and goes on', async () => {
  const { clock, connections, plane, reporter, end } = bench();
  reporter.start();
  plane.status = 404;
  end(3);
  clock.advance(10_000);
  await turns();
  assert.deepEqual(connections.snapshot(), { waiting: 0, dropped: 3 });
  plane.status = 204;
  end(1);
  clock.advance(10_000);
  await turns();
  assert.deepEqual(connections.snapshot(), { waiting: 0, dropped: 3 });
  await reporter.stop();
});

test('ConnectionReporter leaves out a line that is not sound, and tells the others', async () => {
  const { clock, taken, reporter, end } = bench();
  reporter.start();
  end(1, { tunnelId: 'not-a-ulid' });
  end(1, { visitor: '' });
  end(1);
  clock.advance(10_000);
  await turns();
  assert.equal(taken.flat().length, 1);
  await reporter.stop();
});

test('ConnectionReporter.stop() tells what is there; after cut() nothing is said', async () => {
  const first = bench();
  first.reporter.start();
  first.end(2);
  await Promise.all([first.reporter.stop(), first.reporter.stop()]);
  assert.equal(first.taken.flat().length, 2);
  const second = bench();
  second.reporter.start();
  second.end(2);
  second.reporter.cut();
  second.clock.advance(60_000);
  await second.reporter.stop();
  assert.equal(second.plane.calls, 0);
});
