import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { HEADER } from '@tunnox/protocol/names';
import { socketPair } from '@tunnox/testing/socket-pair';
import { acceptTunnel, refuseTunnel } from './answer-tunnel.ts';
import { connectSession } from './connect-session.ts';
import { openTunnelStream } from './open-tunnel-stream.ts';
import { routeStreams, type StreamHandlers } from './route-streams.ts';
import { serveSession } from './serve-session.ts';
import { STREAM_WINDOW_BYTES } from './session-settings.ts';
import { StreamRefused } from './stream-refused.ts';

const NEVER = new AbortController().signal;

async function sessions(
  t: TestContext,
  tunnel: StreamHandlers['tunnel'],
): Promise<{ relay: ClientHttp2Session; agent: ServerHttp2Session }> {
  const { client, server } = await socketPair(false);
  const agent = serveSession(client);
  const relay = connectSession(server, { elastic: false });
  routeStreams(agent, { tunnel });
  t.after(() => {
    relay.destroy();
    agent.destroy();
  });
  return { relay, agent };
}

/** Other than `once()`, does not mind an error before. */
function closeOf(stream: EventEmitter): Promise<void> {
  return new Promise((resolve) => stream.once('close', resolve));
}

test('openTunnelStream() resolves on 200 with headers given and bytes flowing both ways', async (t) => {
  const { relay } = await sessions(t, (stream, authority, headers) => {
    assert.equal(authority, 'mapping:1001');
    assert.equal(headers[HEADER.tunnel], 'T');
    assert.equal(headers[HEADER.target], undefined);
    acceptTunnel(stream);
    stream.pipe(stream);
  });
  const stream = await openTunnelStream(
    relay,
    'mapping:1001',
    { [HEADER.tunnel]: 'T', [HEADER.target]: undefined },
    NEVER,
  );
  stream.end('hello');
  assert.equal(String(Buffer.concat(await stream.toArray())), 'hello');
});

test('openTunnelStream() rejects with the cause and message of the other side', async (t) => {
  const { relay } = await sessions(t, (stream) => refuseTunnel(stream, 'dns', 'No such host\r\n: ünknown'));
  await assert.rejects(openTunnelStream(relay, 'mapping:1', {}, NEVER), (error) => {
    assert.ok(error instanceof StreamRefused);
    assert.equal(error.tunnelCause, 'dns');
    assert.equal(error.message, 'No such host : nknown');
    return true;
  });
});

test('openTunnelStream() rejects with `lost` when the session ends before the answer, and after', async (t) => {
  const { relay, agent } = await sessions(t, () => agent.destroy());
  const lost = (error: unknown): boolean => error instanceof StreamRefused && error.tunnelCause === 'lost';
  await assert.rejects(openTunnelStream(relay, 'mapping:1', {}, NEVER), lost);
  await assert.rejects(openTunnelStream(relay, 'mapping:1', {}, NEVER), lost);
});

test('openTunnelStream() resets the stream when it is aborted', async (t) => {
  const aborter = new AbortController();
  let gone: Promise<unknown> | undefined;
  const { relay } = await sessions(t, (stream) => {
    gone = closeOf(stream);
    aborter.abort(new Error('enough'));
  });
  await assert.rejects(openTunnelStream(relay, 'mapping:1', {}, aborter.signal), /enough/);
  await gone;
  await assert.rejects(openTunnelStream(relay, 'mapping:1', {}, aborter.signal), /enough/);
});

test('routeStreams() refuses what is neither a tunnel nor a control stream', async (t) => {
  const { relay } = await sessions(t, () => assert.fail('not a tunnel'));
  await once(relay, 'remoteSettings');
  const status = async (headers: Record<string, string>): Promise<unknown> => {
    const [answer] = await once(relay.request(headers), 'response');
    return answer[':status'];
  };
  assert.equal(await status({ ':method': 'GET', ':path': '/' }), 405);
  const extended = { ':method': 'CONNECT', ':scheme': 'https', ':path': '/', ':authority': 'x' };
  assert.equal(await status({ ...extended, ':protocol': 'websocket' }), 501);
  assert.equal(await status({ ...extended, ':protocol': 'tunnox-control' }), 501);
});

test('a session carries one fast reader past 99 that do not read, at the price of their windows', async (t) => {
  const bytes = 20 * 1024 * 1024;
  const chunk = Buffer.alloc(64 * 1024);
  const sent: number[] = [];
  const { relay } = await sessions(t, (stream) => {
    acceptTunnel(stream);
    stream.resume();
    const mine = sent.push(0) - 1;
    const send = (): void => {
      while ((sent[mine] ?? 0) < bytes) {
        sent[mine] = (sent[mine] ?? 0) + chunk.length;
        if (!stream.write(chunk)) return void stream.once('drain', send);
      }
      stream.end();
    };
    send();
  });
  const slow: ClientHttp2Stream[] = [];
  for (let count = 0; count < 99; count++) slow.push(await openTunnelStream(relay, 'mapping:1', {}, NEVER));
  const fast = await openTunnelStream(relay, 'mapping:1', {}, NEVER);
  let read = 0;
  for await (const part of fast) read += (part as Buffer).length;
  assert.equal(read, bytes);
  // What a writer has got rid of: the window of the reader and its own buffers.
  for (const each of sent.slice(0, 99)) assert.ok(each <= STREAM_WINDOW_BYTES + 4 * chunk.length, String(each));
  // They are not lost: the first of them goes on.
  let late = 0;
  for await (const part of slow[0] as ClientHttp2Stream) late += (part as Buffer).length;
  assert.equal(late, bytes);
});

test('a session carries many tunnels that are busy in both directions', async (t) => {
  const chunk = Buffer.alloc(64 * 1024);
  const bytes = 4 * 1024 * 1024;
  const blast = (stream: Duplex): void => {
    let sent = 0;
    const send = (): void => {
      while (sent < bytes) {
        sent += chunk.length;
        if (!stream.write(chunk)) return void stream.once('drain', send);
      }
      stream.end();
    };
    send();
  };
  const { relay } = await sessions(t, (stream) => {
    acceptTunnel(stream);
    stream.resume();
    blast(stream);
  });
  await Promise.all(
    Array.from({ length: 30 }, async () => {
      const stream = await openTunnelStream(relay, 'mapping:1', {}, NEVER);
      blast(stream);
      let read = 0;
      for await (const part of stream) read += (part as Buffer).length;
      assert.equal(read, bytes);
    }),
  );
});

test('a session survives thousands of tunnels that are reset in the middle', async (t) => {
  const { relay } = await sessions(t, (stream: ServerHttp2Stream) => {
    acceptTunnel(stream);
    stream.write('some bytes');
  });
  for (let round = 0; round < 30; round++) {
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const stream = await openTunnelStream(relay, 'mapping:1', {}, NEVER);
        stream.destroy(new Error('The visitor has gone'));
        await closeOf(stream);
      }),
    );
  }
  const stream = await openTunnelStream(relay, 'mapping:1', {}, NEVER);
  assert.equal(relay.closed, false);
  stream.destroy();
});

test('a session holds thousands of tunnels at once', async (t) => {
  const { relay } = await sessions(t, (stream) => void acceptTunnel(stream));
  const open = Array.from({ length: 3000 }, () => openTunnelStream(relay, 'mapping:1', {}, NEVER));
  const streams = await Promise.all(open);
  assert.ok(streams.every((stream) => !stream.destroyed));
});
