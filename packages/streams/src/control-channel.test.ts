import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import { CONTROL_LINE_BYTES_MAX } from '@tunnox/protocol/control-codec';
import type { AgentMessage, RelayMessage } from '@tunnox/protocol/control-message';
import { parseAgentMessage } from '@tunnox/protocol/parse-control';
import { socketPair } from '@tunnox/testing/socket-pair';
import { acceptTunnel } from './answer-tunnel.ts';
import { connectSession } from './connect-session.ts';
import { ControlChannel } from './control-channel.ts';
import { openControlStream } from './open-control-stream.ts';
import { routeStreams } from './route-streams.ts';
import { serveSession } from './serve-session.ts';

const NEVER = new AbortController().signal;

function channelOn(stream: Duplex) {
  const messages: AgentMessage[] = [];
  const malformed: string[] = [];
  let closes = 0;
  let onClosed = (): void => {};
  const closed = new Promise<void>((resolve) => (onClosed = resolve));
  const channel = new ControlChannel<RelayMessage, AgentMessage>(stream, {
    parse: parseAgentMessage,
    onMessage: (message) => void messages.push(message),
    onMalformed: (error) => {
      malformed.push(error.message);
      channel.send({ type: 'refused', code: 'malformed', message: error.message });
    },
    onClose: () => {
      closes += 1;
      onClosed();
    },
  });
  return { channel, messages, malformed, closed, closes: () => closes };
}

test('ControlChannel gives messages in order, ignores unknown types, and closes once with its stream', async () => {
  const [near, far] = duplexPair();
  const { messages, closed, closes, channel } = channelOn(near);
  far.write('{"type":"config_applied","version":1,"problems":[]}\n{"type":"later"}\n{"type":');
  far.end('"bye"}\n');
  await closed;
  assert.deepEqual(
    messages.map((message) => message.type),
    ['config_applied', 'bye'],
  );
  assert.equal(channel.closed, true);
  far.destroy();
  near.destroy();
  assert.equal(closes(), 1);
});

test('ControlChannel tells a peer that it does not understand, and closes', async () => {
  for (const bad of [
    'nonsense\n',
    '{"type":"hello"}\n',
    'x'.repeat(CONTROL_LINE_BYTES_MAX + 1),
    Buffer.of(0xc3, 0x0a),
  ]) {
    const [near, far] = duplexPair();
    const { messages, malformed, closed } = channelOn(near);
    far.write(bad);
    far.write('{"type":"bye"}\n');
    const answer = JSON.parse(String(Buffer.concat(await far.toArray()))) as RelayMessage;
    assert.equal(answer.type === 'refused' && answer.code, 'malformed');
    await closed;
    assert.equal(malformed.length, 1);
    assert.deepEqual(messages, []);
  }
});

test('ControlChannel gives up on a peer that does not read', async () => {
  const stream = new Duplex({ read: () => {}, write: () => {} });
  const { channel, closed } = channelOn(stream);
  const message = 'x'.repeat(60_000);
  for (let count = 0; count < 40; count++) channel.send({ type: 'replaced', message });
  await closed;
  assert.ok(stream.destroyed);
  channel.send({ type: 'replaced', message });
});

test('ControlChannel.close() tells when everything was sent', async () => {
  const [near, far] = duplexPair();
  const { channel } = channelOn(near);
  channel.send({ type: 'replaced', message: 'm' });
  const received = far.toArray();
  await new Promise<void>((resolve) => channel.close(resolve));
  assert.equal(String(Buffer.concat(await received)), '{"type":"replaced","message":"m"}\n');
  await new Promise<void>((resolve) => channel.close(resolve));
});

test('openControlStream() opens an extended CONNECT stream that carries messages both ways', async (t) => {
  const { client, server } = await socketPair(false);
  const agent = serveSession(client);
  const relay = connectSession(server);
  t.after(() => {
    agent.destroy();
    relay.destroy();
  });
  routeStreams(agent, {
    control: (stream) => {
      acceptTunnel(stream);
      stream.write('{"type":"bye"}\n');
      stream.on('data', (chunk: Buffer) => void stream.end(chunk));
    },
    tunnel: () => assert.fail('not a tunnel'),
  });
  const stream = await openControlStream(relay, NEVER);
  const { channel, messages, malformed, closed } = channelOn(stream);
  channel.send({ type: 'drain', deadline_ms: 1 });
  await closed;
  assert.deepEqual(messages, [{ type: 'bye' }]);
  assert.deepEqual(malformed, []);
});

test('openControlStream() rejects when the session ends, is refused, or the signal aborts', async (t) => {
  const { client, server } = await socketPair(false);
  const agent = serveSession(client);
  const relay = connectSession(server);
  t.after(() => relay.destroy());
  routeStreams(agent, { tunnel: () => assert.fail('not a tunnel') });
  await assert.rejects(openControlStream(relay, NEVER), /answered 501/);
  await assert.rejects(openControlStream(relay, AbortSignal.abort(new Error('enough'))), /enough/);
  const gone = once(relay, 'close');
  agent.destroy();
  await gone;
  await assert.rejects(openControlStream(relay, NEVER));
});
