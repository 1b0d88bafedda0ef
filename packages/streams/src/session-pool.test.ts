import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type PoolLease, SessionPool } from './session-pool.ts';
import { StreamRefused } from './stream-refused.ts';

class FakeSession extends EventEmitter {
  closed = false;
  destroyed = false;

  /** Graceful, and nothing is open. */
  close(): void {
    this.closed = true;
    this.destroy();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

const NEVER = new AbortController().signal;

function poolOf(
  options: { sessionsMin?: number; sessionsMax?: number; streamsMax?: number; streamsFullMax?: number } = {},
) {
  const dials: { resolve: (session: FakeSession) => void; reject: (error: Error) => void }[] = [];
  let nowMs = 0;
  const pool = new SessionPool(
    {
      connect: () =>
        new Promise((resolve, reject) => {
          dials.push({ resolve: resolve as unknown as (session: FakeSession) => void, reject });
        }),
      now: () => nowMs,
    },
    {
      sessionsMin: 1,
      sessionsMax: 2,
      streamsMax: 2,
      streamsFullMax: options.streamsMax ?? 2,
      idleMs: 1000,
      ...options,
    },
  );
  /** Lets the oldest dial succeed. */
  const connected = async (): Promise<FakeSession> => {
    const session = new FakeSession();
    dials.shift()?.resolve(session);
    await turn();
    return session;
  };
  return { pool, dials, connected, pass: (ms: number) => (nowMs += ms) };
}

const cause = (expected: string) => (error: unknown) =>
  error instanceof StreamRefused && error.tunnelCause === expected;
const on = (lease: PoolLease, session: FakeSession): boolean =>
  lease.session === (session as unknown as ClientHttp2Session);

test('SessionPool makes one dial for the streams that wait, then gives each its place', async () => {
  const { pool, dials, connected } = poolOf();
  const waiting = [pool.acquire(NEVER), pool.acquire(NEVER)];
  await turn();
  assert.equal(dials.length, 1);
  const session = await connected();
  for (const lease of await Promise.all(waiting)) assert.ok(on(lease, session));
  assert.deepEqual(pool.snapshot(), { sessions: 1, dialling: 0, activeStreams: 2, utilization: 0.5, failedDials: 0 });
});

test('SessionPool puts more streams on each session when it may have no further one', async () => {
  const { pool, dials, connected } = poolOf({ streamsFullMax: 3 });
  const waiting = Array.from({ length: 4 }, () => pool.acquire(NEVER));
  await turn();
  assert.equal(dials.length, 2);
  const sessions = [await connected(), await connected()];
  await Promise.all(waiting);
  const more = [await pool.acquire(NEVER), await pool.acquire(NEVER)];
  for (const session of sessions) assert.ok(more.some((lease) => on(lease, session)));
  await assert.rejects(pool.acquire(NEVER), cause('busy'));
  assert.deepEqual([dials.length, pool.snapshot().utilization], [0, 1]);
});

test('SessionPool grows when its sessions are full, prefers the least loaded, and is busy at its limit', async () => {
  const { pool, dials, connected } = poolOf();
  const first = [pool.acquire(NEVER), pool.acquire(NEVER), pool.acquire(NEVER)];
  await turn();
  assert.equal(dials.length, 2);
  const one = await connected();
  const two = await connected();
  const leases = await Promise.all(first);
  assert.ok(on(leases[2] as PoolLease, two));
  assert.ok(on(await pool.acquire(NEVER), two));
  await assert.rejects(pool.acquire(NEVER), cause('busy'));
  leases[0]?.release();
  leases[0]?.release();
  assert.ok(on(await pool.acquire(NEVER), one));
  await assert.rejects(pool.acquire(NEVER), cause('busy'));
});

test('SessionPool opens its second session before the first is full', async () => {
  const { pool, dials, connected } = poolOf({ sessionsMin: 2, streamsMax: 100 });
  const first = pool.acquire(NEVER);
  await turn();
  const one = await connected();
  await first;
  const second = pool.acquire(NEVER);
  assert.ok(on(await second, one), 'nobody waits for the second session');
  assert.equal(dials.length, 1);
  const two = await connected();
  assert.ok(on(await pool.acquire(NEVER), two));
});

test('SessionPool closes sessions that were idle for too long, and no others', async () => {
  const { pool, connected, pass } = poolOf();
  const wanted = pool.acquire(NEVER);
  await turn();
  const session = await connected();
  const lease = await wanted;
  pass(5000);
  pool.sweep();
  assert.equal(session.closed, false);
  lease.release();
  pass(999);
  pool.sweep();
  assert.equal(session.closed, false);
  pass(1);
  pool.sweep();
  assert.equal(session.closed, true);
  assert.equal(pool.snapshot().sessions, 0);
});

test('SessionPool rejects those that wait when the peer cannot be reached, and tries again for the next', async () => {
  const { pool, dials, connected } = poolOf();
  const waiting = pool.acquire(NEVER);
  await turn();
  dials.shift()?.reject(new Error('refused'));
  await assert.rejects(waiting, cause('lost'));
  assert.equal(pool.snapshot().failedDials, 1);
  const again = pool.acquire(NEVER);
  await turn();
  await connected();
  await again;
});

test('SessionPool dials again when a dial fails on which some have counted', async () => {
  const { pool, dials, connected } = poolOf();
  const waiting = [pool.acquire(NEVER), pool.acquire(NEVER), pool.acquire(NEVER)];
  await turn();
  dials.shift()?.reject(new Error('refused'));
  await turn();
  await connected();
  assert.equal(dials.length, 1);
  await connected();
  await Promise.all(waiting);
});

test('SessionPool does not use a session that has ended or is ending', async () => {
  const { pool, connected } = poolOf();
  const wanted = pool.acquire(NEVER);
  await turn();
  const one = await connected();
  await wanted;
  one.closed = true;
  const next = pool.acquire(NEVER);
  await turn();
  const two = await connected();
  assert.ok(on(await next, two));
});

test('SessionPool.acquire() can be given up', async () => {
  const { pool, connected } = poolOf();
  const aborter = new AbortController();
  const waiting = pool.acquire(aborter.signal);
  aborter.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  await connected();
  assert.equal(pool.snapshot().activeStreams, 0);
});

test('SessionPool.close() ends sessions, those that wait and dials that come late', async () => {
  const { pool, dials, connected } = poolOf({ streamsMax: 1 });
  const first = pool.acquire(NEVER);
  await turn();
  const one = await connected();
  await first;
  const waiting = pool.acquire(NEVER);
  await turn();
  assert.equal(dials.length, 1);
  pool.close();
  pool.close();
  await assert.rejects(waiting, cause('lost'));
  assert.equal(one.destroyed, true);
  const late = await connected();
  assert.equal(late.destroyed, true);
  await assert.rejects(pool.acquire(NEVER), cause('lost'));
});
