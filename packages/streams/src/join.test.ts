import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { socketPair } from '@tunnox/testing/socket-pair';
import { acceptTunnel } from './answer-tunnel.ts';
import { connectSession } from './connect-session.ts';
import { join, type JoinMeter } from './join.ts';
import { openTunnelStream } from './open-tunnel-stream.ts';
import { resetStream } from './reset-stream.ts';
import { routeStreams } from './route-streams.ts';
import { serveSession } from './serve-session.ts';

interface Rig {
  visitor: Socket;
  target: Socket;
  /** The agent's end of the connection to the target. */
  dialled: Socket;
  meter: JoinMeter;
  closed: Promise<void>;
  /** Ends the session between the two joins. */
  cut: () => void;
}

/** visitor ═ relay ═ HTTP/2 ═ agent ═ target, in one process. */
async function tunnel(t: TestContext): Promise<Rig> {
  const [outside, between, inside] = [await socketPair(true), await socketPair(false), await socketPair(true)];
  const agent = serveSession(between.client);
  routeStreams(agent, {
    tunnel: (stream: ServerHttp2Stream) => {
      acceptTunnel(stream);
      join(stream, inside.client);
    },
  });
  const relay = connectSession(between.server);
  const stream = await openTunnelStream(relay, 'mapping:1', {}, new AbortController().signal);
  const meter = { bytesIn: 0, bytesOut: 0 };
  const closed = new Promise<void>((resolve) => join(outside.server, stream, meter, resolve));
  t.after(() => {
    for (const socket of [outside.client, outside.server, inside.client, inside.server]) socket.destroy();
    relay.destroy();
    agent.destroy();
  });
  return {
    visitor: outside.client,
    target: inside.server,
    dialled: inside.client,
    meter,
    closed,
    cut: () => between.client.destroy(),
  };
}

test('join() carries bytes both ways, counts them and closes everything after both ends', async (t) => {
  const { visitor, target, meter, closed } = await tunnel(t);
  const question = randomBytes(3_000_000);
  const answer = randomBytes(5_000_000);
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  visitor.end(question);
  target.end(answer);
  const [gotAnswer, gotQuestion] = await Promise.all([visitor.toArray(), target.toArray()]);
  assert.equal(digest(Buffer.concat(gotAnswer)), digest(answer));
  assert.equal(digest(Buffer.concat(gotQuestion)), digest(question));
  await closed;
  assert.deepEqual(meter, { bytesIn: question.length, bytesOut: answer.length });
});

test('join() passes the end of one direction on and keeps the other open', async (t) => {
  const { visitor, target, closed } = await tunnel(t);
  visitor.end('question');
  assert.equal(String(Buffer.concat(await target.toArray())), 'question');
  target.write('first ');
  assert.equal(String((await once(visitor, 'data'))[0]), 'first ');
  target.end('last');
  assert.equal(String(Buffer.concat(await visitor.toArray())), 'last');
  await closed;
});

test('join() turns a reset of the visitor into a reset of the target', async (t) => {
  const { visitor, target, closed } = await tunnel(t);
  visitor.write('x');
  await once(target, 'data');
  const error = once(target, 'error');
  visitor.resetAndDestroy();
  assert.equal(((await error)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
  await closed;
});

test('join() turns a reset of the target into a reset of the visitor, never into an end of the data', async (t) => {
  const { visitor, target, closed } = await tunnel(t);
  target.write('half of an ans');
  await once(visitor, 'data');
  visitor.on('end', () => assert.fail('the answer did not end'));
  const error = once(visitor, 'error');
  target.resetAndDestroy();
  assert.equal(((await error)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
  await closed;
});

test('join() resets both sides when the session between them is lost', async (t) => {
  const { visitor, target, closed, cut } = await tunnel(t);
  target.write('half of an ans');
  await once(visitor, 'data');
  visitor.on('end', () => assert.fail('the answer did not end'));
  target.on('end', () => assert.fail('the question did not end'));
  const errors = Promise.all([once(visitor, 'error'), once(target, 'error')]);
  cut();
  await errors;
  await closed;
});

test('join() resets what is left when one side takes no more after the end of its own data', async (t) => {
  const { visitor, target, dialled, closed } = await tunnel(t);
  visitor.end('question');
  await target.toArray();
  target.write('answer that never ends');
  await once(visitor, 'data');
  const gone = once(dialled, 'close');
  visitor.resetAndDestroy();
  await once(visitor, 'close');
  // A kernel tells of a reset after the end of the data only to whoever writes.
  target.write('more of it');
  await gone;
  await closed;
});

test('join() stops reading a side while the other does not take its bytes', async (t) => {
  const { visitor, target } = await tunnel(t);
  let taken = 0;
  const chunk = Buffer.alloc(64 * 1024);
  // All buffers on the way, the kernel's included, hold less than this.
  while (target.write(chunk) || (await drained(target))) {
    taken += chunk.length;
    assert.ok(taken < 64 * 1024 * 1024);
  }
  visitor.destroy();
});

/** Whether a full socket takes more while the process is otherwise idle. */
async function drained(socket: Socket): Promise<boolean> {
  const before = socket.bytesWritten - socket.writableLength;
  for (let turn = 0; turn < 200; turn++) {
    await new Promise(setImmediate);
    if (!socket.writableNeedDrain) return true;
  }
  return socket.bytesWritten - socket.writableLength > before;
}

test('join() of a stream that is already closed resets the other', async () => {
  const [first, second] = [await socketPair(true), await socketPair(true)];
  first.server.destroy();
  await once(first.server, 'close');
  const closed = new Promise<void>((resolve) => join(first.server, second.server, undefined, resolve));
  const error = once(second.client, 'error');
  await closed;
  await error;
  first.client.destroy();
});

test('join() writes in pieces of at most 64 KiB', async () => {
  const { client, server } = await socketPair(true);
  const sizes: number[] = [];
  const source = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  const sink = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      sizes.push(chunk.length);
      done();
    },
  });
  join(source, sink);
  source.push(Buffer.alloc(150_000));
  source.push(null);
  await once(sink, 'finish');
  assert.deepEqual(sizes, [65_536, 65_536, 18_928]);
  resetStream(sink);
  client.destroy();
  server.destroy();
});
