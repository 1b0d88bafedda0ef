import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, test } from 'node:test';
import type { NodeMessage } from '@tunnox/domain/relay-api';
import { createLogger } from '@tunnox/observability/logger';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { type WebSocket, WebSocketServer } from 'ws';
import { NodeSession } from './node-session.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const INCARNATION = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const peers = (seq: number) => JSON.stringify({ type: 'peers', seq, peers: [] });

/** The other end of the session, as the node object would be. */
class FakeNodeObject {
  readonly sockets: { socket: WebSocket; request: IncomingMessage }[] = [];
  readonly heard: string[] = [];
  /** Status with which the next upgrade is turned away. */
  refuse: number | null = null;
  /** Does not answer pings. */
  frozen = false;
  readonly #server: Server = createServer();
  readonly #webSockets = new WebSocketServer({ noServer: true });
  #changed: () => void = () => {};

  async start(): Promise<string> {
    this.#server.on('upgrade', (request, socket, head) => {
      if (this.refuse !== null) {
        socket.end(`HTTP/1.1 ${this.refuse} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
        this.refuse = null;
        return;
      }
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        this.sockets.push({ socket: webSocket, request });
        webSocket.on('message', (data: Buffer) => this.#hear(webSocket, data.toString()));
        this.#changed();
      });
    });
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get last(): WebSocket {
    const entry = this.sockets.at(-1);
    assert.ok(entry);
    return entry.socket;
  }

  /** Resolves when `ready` is true; looked at after everything that is heard. */
  async until(ready: () => boolean): Promise<void> {
    while (!ready()) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  stop(): void {
    for (const { socket } of this.sockets) socket.terminate();
    this.#server.close();
  }

  #hear(socket: WebSocket, text: string): void {
    if (text === 'ping' && !this.frozen) socket.send('pong');
    this.heard.push(text);
    this.#changed();
  }
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function bench() {
  const clock = new FakeClock();
  const node = new FakeNodeObject();
  const baseUrl = await node.start();
  const messages: NodeMessage[] = [];
  const events: string[] = [];
  const waiters: (() => void)[] = [];
  const note = (event: string): void => {
    events.push(event);
    for (const wake of waiters.splice(0)) wake();
  };
  const session = new NodeSession(
    { clock, random: () => 1, log, token: () => 'the-token' },
    { baseUrl, incarnation: INCARNATION, ca: null },
    {
      message: (message) => {
        messages.push(message);
        note(`message ${message.type}`);
      },
      opened: () => note('opened'),
      unauthorized: () => note('unauthorized'),
    },
  );
  const until = async (ready: () => boolean): Promise<void> => {
    while (!ready()) await new Promise<void>((resolve) => waiters.push(resolve));
  };
  /** Lets time pass until the session is open for the `count`th time. */
  const reopened = async (count: number): Promise<void> => {
    while (events.filter((event) => event === 'opened').length < count) {
      clock.advance(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  cleanups.push(() => {
    session.stop();
    node.stop();
  });
  return { clock, node, session, messages, events, until, reopened };
}

test('NodeSession shows its token and incarnation, handles messages in order and acknowledges each', async () => {
  const { node, session, messages, until, events } = await bench();
  session.start();
  session.start();
  await until(() => events.includes('opened'));
  await node.until(() => node.heard.includes('ping'));
  const [{ request } = { request: null }] = node.sockets;
  assert.equal(request?.headers.authorization, 'Bearer the-token');
  assert.equal(request?.url, `/relay/v1/session?incarnation=${INCARNATION}&last_seq=0`);
  node.last.send(peers(1));
  node.last.send(peers(4));
  await node.until(() => node.heard.length >= 3);
  assert.deepEqual(node.heard, ['ping', '{"type":"ack","seq":1}', '{"type":"ack","seq":4}']);
  assert.deepEqual(
    messages.map((message) => message.type),
    ['peers', 'peers'],
  );
});

test('NodeSession resumes behind the last message and does nothing twice', async () => {
  const { node, session, messages, until, events, reopened } = await bench();
  session.start();
  await until(() => events.includes('opened'));
  node.last.send(peers(7));
  await node.until(() => node.heard.includes('{"type":"ack","seq":7}'));
  node.last.terminate();
  await reopened(2);
  assert.match(node.sockets[1]?.request.url ?? '', /last_seq=7$/);
  node.last.send(peers(7));
  node.last.send(peers(8));
  await node.until(() => node.heard.includes('{"type":"ack","seq":8}'));
  assert.equal(messages.length, 2);
  assert.equal(node.heard.filter((text) => text === '{"type":"ack","seq":7}').length, 2);
});

test('NodeSession acknowledges what it does not understand, and survives garbage', async () => {
  const { node, session, messages, until, events } = await bench();
  session.start();
  await until(() => events.includes('opened'));
  for (const text of ['{', '[]', 'null', '{"type":"policy","seq":1}', '{"type":"from_the_future","seq":2}'])
    node.last.send(text);
  node.last.send(Buffer.from([1, 2, 3]));
  node.last.send('{"type":"resync"}');
  await until(() => messages.length === 1);
  await node.until(() => node.heard.includes('{"type":"ack","seq":2}'));
  assert.equal(node.sockets.length, 1);
});

test('NodeSession notices a connection that is dead, and opens another one', async () => {
  const { node, session, clock, until, events, reopened } = await bench();
  session.start();
  await until(() => events.includes('opened'));
  node.frozen = true;
  clock.advance(10_000);
  await node.until(() => node.heard.filter((text) => text === 'ping').length >= 2);
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(10_000);
  assert.equal(session.open, false);
  assert.equal(session.send({ type: 'draining' }), false);
  node.frozen = false;
  await reopened(2);
  assert.equal(node.sockets.length, 2);
});

test('NodeSession tells when its token is not accepted or its incarnation is over, and tries on', async () => {
  const { node, session, until, events, reopened } = await bench();
  node.refuse = 401;
  session.start();
  await until(() => events.includes('unauthorized'));
  await reopened(1);
  node.last.close(4001, 'a newer incarnation is registered');
  await until(() => events.filter((event) => event === 'unauthorized').length === 2);
  node.refuse = 503;
  await reopened(2);
  assert.equal(events.filter((event) => event === 'unauthorized').length, 2);
});

test('NodeSession.stop() ends it for good, in whatever state it is', async () => {
  const { node, session, clock, until, events } = await bench();
  session.start();
  session.stop();
  session.stop();
  session.start();
  await until(() => events.includes('opened'));
  const closed = once(node.last, 'close');
  session.stop();
  await closed;
  assert.equal(clock.pending, 0);
});

test('NodeSession.congested tells that the control plane does not take what is sent', async () => {
  const { node, session, events, until } = await bench();
  session.start();
  await until(() => events.includes('opened'));
  await node.until(() => node.heard.includes('ping'));
  assert.equal(session.congested, false);
  node.last.pause();
  const problems = [{ binding_id: 'mapping:1', code: 'x', message: 'y'.repeat(500) }];
  const report = { type: 'config_applied' as const, client_id: 1, version: 1, problems };
  let sent = 0;
  for (; !session.congested; sent++) session.send(report);
  node.last.resume();
  await node.until(() => node.heard.length === sent + 1);
  assert.equal(session.congested, false);
});
