import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { Cause } from '@tunnox/protocol/causes';
import type { AgentMessage, Hello, RelayMessage } from '@tunnox/protocol/control-message';
import { HEADER } from '@tunnox/protocol/names';
import { parseRelayMessage } from '@tunnox/protocol/parse-control';
import { connectSession } from '@tunnox/streams/connect-session';
import { ControlChannel } from '@tunnox/streams/control-channel';
import { AGENT_PING_MS } from '@tunnox/streams/liveness';
import { openControlStream } from '@tunnox/streams/open-control-stream';
import { openTunnelStream } from '@tunnox/streams/open-tunnel-stream';
import { StreamRefused } from '@tunnox/streams/stream-refused';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { socketPair } from '@tunnox/testing/socket-pair';
import { eventually } from '../../tests/support/eventually.ts';
import { CLIENT_ID, helloOf, ticketOf } from '../../tests/support/fake-agent.ts';
import { bindingOf, fakeVerifier, policyOf, stillWheel } from '../../tests/support/session-rig.ts';
import type { Decision, Router } from '../router/router.ts';
import { SessionRegistry } from '../session/session-registry.ts';
import { TunnelRefused } from '../upstream/tunnel-refused.ts';
import type { TunnelRequest, Upstream } from '../upstream/upstream.ts';
import { VisitServer } from './visit-server.ts';

const NEVER = new AbortController().signal;
const BINDING = bindingOf({ endpoint: null, source_client_id: CLIENT_ID, upstreams: [] });
const HEADERS = { [HEADER.tunnel]: '01ARZ3NDEKTSV4RRFFQ69G5FAW', [HEADER.proof]: 'proof' };

/** An upstream that echoes, or refuses as many times as it has causes. */
class FakeUpstream implements Upstream {
  readonly kind = 'local';
  readonly key = 'fake';
  closed = false;
  readonly requests: TunnelRequest[] = [];
  readonly streams: PassThrough[] = [];
  readonly #causes: Cause[];

  constructor(...causes: Cause[]) {
    this.#causes = causes;
  }

  async open(request: TunnelRequest) {
    this.requests.push(request);
    const cause = this.#causes.shift();
    if (cause !== undefined) throw new TunnelRefused(cause, 'as the test wants');
    const stream = new PassThrough();
    this.streams.push(stream);
    return { stream, meter: { bytesIn: 0, bytesOut: 0 } };
  }
}

function rig(t: TestContext, decide: () => Decision) {
  const clock = new FakeClock();
  const forgotten: string[] = [];
  const asked: string[] = [];
  const router: Router = {
    decide: (endpoint) => {
      asked.push(endpoint);
      return decide();
    },
    forget: (endpoint) => void forgotten.push(endpoint),
  };
  const registry = new SessionRegistry({ clock });
  const server = new VisitServer(
    { verifier: fakeVerifier, registry, router, clock, pings: stillWheel(AGENT_PING_MS) },
    { nodeId: 'node-001', group: 'default' },
  );
  const sessions: ClientHttp2Session[] = [];
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.stop();
  });
  const connect = async (): Promise<ClientHttp2Session> => {
    const { client, server: accepted } = await socketPair(false);
    server.accept(accepted, { address: '192.0.2.7:5000', authenticated: () => {} });
    const session = connectSession(client);
    sessions.push(session);
    return session;
  };
  /** Says hello; gives the relay's messages until it closes. */
  const greet = async (session: ClientHttp2Session, hello: Hello) => {
    const messages: RelayMessage[] = [];
    const stream = await openControlStream(session, NEVER);
    const channel = new ControlChannel<AgentMessage, RelayMessage>(stream, {
      parse: parseRelayMessage,
      onMessage: (message) => void messages.push(message),
      onClose: () => {},
    });
    channel.send(hello);
    await eventually(() => messages.length > 0);
    return messages;
  };
  const visiting = async () => {
    const session = await connect();
    const messages = await greet(session, helloOf());
    assert.deepEqual(messages, [{ type: 'welcome', node_id: 'node-001', heartbeat_ms: 15_000, protocol: 1 }]);
    return { session, messages };
  };
  return { clock, server, registry, connect, greet, visiting, forgotten, asked };
}

const open = (session: ClientHttp2Session, binding = 'mapping:1001', headers = HEADERS): Promise<ClientHttp2Stream> =>
  openTunnelStream(session, binding, headers, NEVER);

const refusedWith = (cause: string) => (error: unknown) =>
  error instanceof StreamRefused && error.tunnelCause === cause;

function closeOf(emitter: EventEmitter): Promise<void> {
  return new Promise((resolve) => emitter.once('close', () => resolve()));
}

test('VisitServer joins a tunnel of the mapping’s source to its target agent', async (t) => {
  const upstream = new FakeUpstream();
  const { visiting, server, asked } = rig(t, () => ({ kind: 'open', binding: BINDING, upstreams: [upstream] }));
  const { session } = await visiting();
  const stream = await open(session, 'mapping:1001', { ...HEADERS, [HEADER.target]: 'db:5432' } as typeof HEADERS);
  stream.end('hello');
  assert.equal(String(Buffer.concat(await stream.toArray())), 'hello');
  assert.deepEqual(asked, ['mapping:1001']);
  assert.deepEqual(upstream.requests, [
    {
      binding: BINDING,
      tunnelId: HEADERS[HEADER.tunnel],
      visitor: '192.0.2.7:5000',
      source: { clientId: CLIENT_ID, proof: 'proof' },
      target: 'db:5432',
    },
  ]);
  await eventually(() => server.snapshot().tunnelsActive === 0);
  assert.equal(server.snapshot().tunnelsOpened, 1);
});

test('VisitServer refuses tunnels that are not the client’s to open', async (t) => {
  const upstream = new FakeUpstream();
  let binding = BINDING;
  let kind: Decision['kind'] = 'open';
  const decide = (): Decision => {
    if (kind === 'open') return { kind, binding, upstreams: [upstream] };
    return kind === 'offline' ? { kind, binding } : { kind };
  };
  const { visiting, server, asked } = rig(t, decide);
  const { session } = await visiting();
  await assert.rejects(open(session, 'domain:17'), refusedWith('unknown_binding'));
  await assert.rejects(open(session, 'foo.example.com'), refusedWith('unknown_binding'));
  await assert.rejects(
    open(session, 'mapping:1001', { ...HEADERS, [HEADER.tunnel]: 'short' }),
    refusedWith('bad_proof'),
  );
  await assert.rejects(
    open(session, 'mapping:1001', { [HEADER.tunnel]: HEADERS[HEADER.tunnel] } as typeof HEADERS),
    refusedWith('bad_proof'),
  );
  assert.deepEqual(asked, []);
  for (const source_client_id of [600_000_099, null]) {
    binding = bindingOf({ source_client_id });
    await assert.rejects(open(session), refusedWith('bad_proof'));
    kind = 'offline';
    await assert.rejects(open(session), refusedWith('bad_proof'));
    kind = 'open';
  }
  kind = 'offline';
  binding = BINDING;
  await assert.rejects(open(session), refusedWith('not_here'));
  kind = 'unknown';
  await assert.rejects(open(session), refusedWith('unknown_binding'));
  kind = 'unavailable';
  await assert.rejects(open(session), refusedWith('busy'));
  assert.deepEqual(upstream.requests, []);
  assert.deepEqual(server.snapshot().tunnelsRefused, {
    unknown_binding: 3,
    bad_proof: 6,
    not_here: 1,
    busy: 1,
  });
});

test('VisitServer passes on the target agent’s verdict and tries again what was only old', async (t) => {
  const upstream = new FakeUpstream('bad_proof', 'stale_binding', 'not_here', 'not_here');
  const { visiting, forgotten } = rig(t, () => ({ kind: 'open', binding: BINDING, upstreams: [upstream] }));
  const { session } = await visiting();
  await assert.rejects(open(session), refusedWith('bad_proof'));
  assert.deepEqual(forgotten, []);
  assert.equal(upstream.requests.length, 1);
  await assert.rejects(open(session), refusedWith('not_here'));
  assert.deepEqual(forgotten, ['mapping:1001', 'mapping:1001']);
  assert.equal(upstream.requests.length, 3);
  (await open(session)).destroy();
  assert.equal(upstream.requests.length, 5);
});

test('VisitServer tries the next upstream when one is busy', async (t) => {
  const [busy, good] = [new FakeUpstream('busy'), new FakeUpstream()];
  const { visiting } = rig(t, () => ({ kind: 'open', binding: BINDING, upstreams: [busy, good] }));
  const { session } = await visiting();
  (await open(session)).destroy();
  assert.deepEqual([busy.requests.length, good.requests.length], [1, 1]);
});

test('VisitServer resets a tunnel whose other end was lost', async (t) => {
  const upstream = new FakeUpstream();
  const { visiting } = rig(t, () => ({ kind: 'open', binding: BINDING, upstreams: [upstream] }));
  const { session } = await visiting();
  const stream = await open(session);
  stream.write('x');
  await once(stream, 'data');
  stream.on('end', () => assert.fail('the data did not end'));
  const closed = closeOf(stream);
  upstream.streams[0]?.destroy();
  await closed;
});

test('VisitServer opens nothing before a good hello', async (t) => {
  const { connect, greet, server } = rig(t, () => assert.fail('nobody may ask'));
  const session = await connect();
  await assert.rejects(open(session), refusedWith('bad_proof'));
  const closed = closeOf(session);
  const [refused] = await greet(session, helloOf({ ticket: 'forged' }));
  assert.equal(refused?.type === 'refused' && refused.code, 'bad_ticket');
  await closed;
  assert.equal(server.snapshot().sessions, 0);
});

test('VisitServer turns away what the relay knows to be over, and everybody while it drains', async (t) => {
  const { connect, greet, registry } = rig(t, () => assert.fail('nobody may ask'));
  const codeOf = async (hello: Hello): Promise<string> => {
    const [answer] = await greet(await connect(), hello);
    return answer?.type === 'refused' ? answer.code : (answer?.type ?? '');
  };
  registry.applyPolicy(policyOf({ generation: 2 }));
  assert.equal(await codeOf(helloOf()), 'stale_ticket');
  assert.equal(await codeOf(helloOf({ ticket: ticketOf({ generation: 2 }) })), 'welcome');
  void registry.drain(1000);
  assert.equal(await codeOf(helloOf({ ticket: ticketOf({ generation: 2 }) })), 'draining');
});

test('VisitServer gives ten seconds for the hello', async (t) => {
  const { connect, clock } = rig(t, () => assert.fail('nobody may ask'));
  const session = await connect();
  const closed = closeOf(session);
  await once(session, 'remoteSettings');
  clock.advance(10_000);
  await closed;
});

test('VisitServer.closeClient() ends the visits of a client, drain() tells them to go', async (t) => {
  const { visiting, server } = rig(t, () => ({ kind: 'unknown' }));
  const { session, messages } = await visiting();
  server.closeClient(CLIENT_ID + 1);
  server.drain(5000);
  await eventually(() => messages.length === 2);
  assert.deepEqual(messages[1], { type: 'drain', deadline_ms: 5000 });
  const closed = closeOf(session);
  server.closeClient(CLIENT_ID);
  await closed;
  await eventually(() => server.snapshot().sessions === 0);
});
