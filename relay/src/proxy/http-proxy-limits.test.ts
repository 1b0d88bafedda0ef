import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { waitFor } from '@tunnox/testing/wait-for';
import { DirectUpstream, startHttpTarget, startProxy, startRawTarget } from './test-support/proxy-fixture.ts';
import { RawClient, splitAnswers } from './test-support/raw-client.ts';
import * as limits from './time-limits.ts';

const GET = (host: string, fields = ''): string => `GET / HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`;
/** Time-outs are late by up to one round of the sweep. */
const ROUND_MS = 1000;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function turnsUntil(holds: () => boolean): Promise<void> {
  while (!holds()) await nextTurn();
}

describe('HttpProxy limits', () => {
  it('closes a connection that says nothing, and one that has said its request, after their times', async (t) => {
    const clock = new FakeClock();
    const target = await startHttpTarget(t, (_request, response) => response.end('ok'));
    const { port, router, proxy } = await startProxy(t, { clock });
    router.open('a.test', new DirectUpstream(target));
    const silent = await RawClient.connect(port);
    await turnsUntil(() => proxy.metrics.connectionsActive === 1);
    clock.advance(limits.FIRST_BYTE_MS - ROUND_MS);
    await nextTurn();
    assert.equal(silent.ended, false);
    clock.advance(2 * ROUND_MS);
    assert.equal(await silent.untilEnd(), '');
    const idle = await RawClient.connect(port);
    idle.send(GET('a.test'));
    await idle.until((text) => text.endsWith('ok'));
    clock.advance(limits.KEEP_ALIVE_MS - ROUND_MS);
    await nextTurn();
    assert.equal(idle.ended, false);
    clock.advance(2 * ROUND_MS);
    await idle.untilEnd();
    await turnsUntil(() => proxy.metrics.connectionsActive === 0);
  });

  it('answers 408 to a head that does not become complete in time, however it trickles', async (t) => {
    const clock = new FakeClock();
    const { port, proxy } = await startProxy(t, { clock });
    const client = await RawClient.connect(port);
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\n');
    await turnsUntil(() => proxy.metrics.connectionsActive === 1);
    for (let i = 0; i < 5; i++) {
      await new Promise<void>((resolve) => client.socket.write(`X-${i}: a\r\n`, () => resolve()));
      await nextTurn();
      clock.advance(limits.HEAD_MS / 4);
    }
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 408 /);
  });

  it('answers 408 to a body that stops coming, but waits while the target has not asked for it', async (t) => {
    const clock = new FakeClock();
    let continueIt: (() => void) | undefined;
    const target = await startRawTarget(t, (socket) => {
      socket.on('data', () => (continueIt = () => socket.write('HTTP/1.1 100 Continue\r\n\r\n')));
    });
    const { port, router } = await startProxy(t, { clock });
    router.open('a.test', new DirectUpstream(target));
    const client = await RawClient.connect(port);
    client.send('POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n');
    await turnsUntil(() => continueIt !== undefined);
    clock.advance(3 * limits.BODY_WINDOW_MS);
    await nextTurn();
    assert.equal(client.ended, false);
    continueIt?.();
    await client.until((text) => text.includes('100 Continue'));
    for (let window = 0; window < 3; window++) {
      await new Promise<void>((resolve) =>
        client.socket.write('x'.repeat(limits.BODY_WINDOW_BYTES_MIN), () => resolve()),
      );
      for (let i = 0; i < 20; i++) await nextTurn();
      clock.advance(limits.BODY_WINDOW_MS);
      await nextTurn();
      assert.equal(client.ended, false);
    }
    clock.advance(2 * limits.BODY_WINDOW_MS);
    assert.match(await client.untilEnd(), /HTTP\/1\.1 408 /);
  });

  it('answers 504 when no tunnel opens in time, and 504 when the target does not answer', async (t) => {
    const clock = new FakeClock();
    const target = await startRawTarget(t, () => {});
    const { port, router } = await startProxy(t, { clock });
    const stuck = new DirectUpstream(target);
    let aborted = false;
    stuck.before = async (_request, signal) => {
      await once(signal, 'abort');
      aborted = true;
      throw new Error('aborted');
    };
    router.open('stuck.test', stuck);
    const client = await RawClient.connect(port);
    client.send(GET('stuck.test'));
    await turnsUntil(() => stuck.requests.length === 1);
    clock.advance(limits.OPEN_MS + ROUND_MS);
    assert.match(await client.until((text) => text.includes('\r\n\r\n')), /^HTTP\/1\.1 504 /);
    assert.equal(aborted, true);
    const upstream = new DirectUpstream(target);
    router.open('a.test', upstream);
    const waiting = await RawClient.connect(port);
    waiting.send(GET('a.test'));
    await turnsUntil(() => upstream.tunnels.length === 1);
    for (let i = 0; i < 5; i++) await nextTurn();
    clock.advance(limits.ANSWER_MS + ROUND_MS);
    assert.match(await waiting.until((text) => text.includes('\r\n\r\n')), /^HTTP\/1\.1 504 /);
    client.socket.destroy();
    waiting.socket.destroy();
  });

  it('cuts off a visitor that does not read its answer, and leaves a stream alone that says nothing', async (t) => {
    const clock = new FakeClock();
    const target = await startHttpTarget(t, (request, response) => {
      response.write('first');
      if (request.url !== '/big') return;
      const fill = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        response.once('drain', fill);
      };
      fill();
    });
    const { port, router, proxy } = await startProxy(t, { clock });
    const upstream = new DirectUpstream(target);
    router.open('a.test', upstream);
    const stream = await RawClient.connect(port);
    stream.send(GET('a.test'));
    await stream.until((text) => text.includes('first'));
    const stalled = await RawClient.connect(port);
    stalled.send('GET /big HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await stalled.until((text) => text.includes('first'));
    stalled.socket.pause();
    await waitFor(
      heldUp(() => upstream.tunnels[1]?.stream.isPaused() === true),
      10_000,
    );
    clock.advance(limits.STALL_MS + ROUND_MS);
    stalled.socket.removeAllListeners('data');
    stalled.socket.resume();
    await stalled.untilEnd();
    assert.equal(stalled.error, 'ECONNRESET');
    assert.equal(proxy.metrics.timeouts, 1);
    assert.equal(stream.ended, false);
    stream.socket.destroy();
  });

  it('closes idle tunnels before usual targets would, and reuses them until then', async (t) => {
    const clock = new FakeClock();
    const target = await startHttpTarget(t, (_request, response) => response.end('ok'));
    const { port, router, proxy } = await startProxy(t, { clock });
    const upstream = new DirectUpstream(target);
    router.open('a.test', upstream);
    const client = await RawClient.connect(port);
    for (const [index, waitMs] of [0, 3000, 6000].entries()) {
      clock.advance(waitMs);
      client.send(GET('a.test'));
      await client.until((text) => splitAnswers(text).length === index + 1);
    }
    assert.equal(upstream.tunnels.length, 2);
    assert.equal(proxy.pool.size, 1);
    client.socket.destroy();
  });

  it('does not hold more than a few buffers for 50 visitors that do not read', async (t) => {
    const target = await startHttpTarget(t, (request, response) => {
      if (request.url !== '/big') return void response.end('small');
      const piece = Buffer.alloc(1 << 16);
      const fill = (): void => {
        while (!response.destroyed && response.write(piece));
        response.once('drain', fill);
      };
      fill();
    });
    const { port, router } = await startProxy(t);
    const upstream = new DirectUpstream(target);
    router.open('a.test', upstream);
    const readers = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const client = await RawClient.connect(port);
        client.send('GET /big HTTP/1.1\r\nHost: a.test\r\n\r\n');
        await client.until((text) => text.length > 0);
        client.socket.pause();
        return client;
      }),
    );
    // One that reads is served as if it were alone.
    for (let i = 0; i < 20; i++) {
      const client = await RawClient.connect(port);
      client.send(GET('a.test', 'Connection: close\r\n'));
      assert.match(await client.untilEnd(), /small$/);
    }
    const held = upstream.tunnels.map(({ stream }) => stream.readableLength);
    assert.ok(Math.max(...held) <= 256 * 1024, `held: ${Math.max(...held)}`);
    for (const { socket } of readers) socket.destroy();
  });

  it('stops reading a body that the target does not take', async (t) => {
    const target = await startRawTarget(t, (socket) => socket.pause());
    const { port, router } = await startProxy(t);
    const upstream = new DirectUpstream(target);
    router.open('a.test', upstream);
    const client = await RawClient.connect(port);
    client.send('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`);
    let sent = 0;
    while (sent < 1000 && (client.socket.write(chunk) || (await drained(client.socket)))) sent++;
    assert.ok(sent < 1000, 'the visitor was never held up');
    const [tunnel] = upstream.tunnels;
    assert.ok((tunnel?.stream.writableLength ?? 0) < 512 * 1024, `held: ${tunnel?.stream.writableLength}`);
    client.socket.destroy();
  });

  it('turns visitors away with 503 when it is full', async (t) => {
    const { port, proxy } = await startProxy(t, { connectionsMax: 1 });
    const first = await RawClient.connect(port);
    await turnsUntil(() => proxy.metrics.connectionsActive === 1);
    const second = await RawClient.connect(port);
    assert.match(await second.untilEnd(), /^HTTP\/1\.1 503 [^]*\r\nRetry-After: /);
    assert.equal(proxy.metrics.connectionsRefused, 1);
    first.socket.destroy();
    await turnsUntil(() => proxy.metrics.connectionsActive === 0);
  });

  it('drains: closes idle connections, finishes what runs, says that the connection ends, then resolves', async (t) => {
    let answer: (() => void) | undefined;
    const target = await startHttpTarget(t, (_request, response) => (answer = () => response.end('done')));
    const { port, router, proxy } = await startProxy(t);
    router.open('a.test', new DirectUpstream(target));
    const idle = await RawClient.connect(port);
    const busy = await RawClient.connect(port);
    busy.send(GET('a.test'));
    await turnsUntil(() => answer !== undefined);
    const drained = proxy.drain(AbortSignal.timeout(5000));
    assert.equal(await idle.untilEnd(), '');
    answer?.();
    assert.match(await busy.untilEnd(), /\r\nConnection: close\r\n\r\ndone$/);
    await drained;
    assert.equal(proxy.metrics.connectionsActive, 0);
  });

  it('frees everything after 2 000 connections with garbage', async (t) => {
    const { port, proxy } = await startProxy(t);
    for (let round = 0; round < 20; round++) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const client = await RawClient.connect(port);
          client.send(
            String.fromCharCode(...Array.from({ length: 64 }, (__, at) => (index * 37 + at * 101 + round * 13) % 256)),
          );
          client.socket.end();
          await client.untilEnd();
        }),
      );
    }
    await turnsUntil(() => proxy.metrics.connectionsActive === 0);
    assert.equal(proxy.metrics.connectionsTotal, 2000);
  });
});

/** The buffers of the kernel are full when this has been so a few times in a row. */
function heldUp(blocked: () => boolean): () => Promise<boolean> {
  let times = 0;
  return async () => {
    times = blocked() ? times + 1 : 0;
    return times === 5;
  };
}

/** @returns whether the socket took more within a moment */
function drained(socket: RawClient['socket']): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 300);
    socket.once('drain', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
