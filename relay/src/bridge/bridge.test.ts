import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import { type TestContext, test } from 'node:test';
import type { SecureContext } from 'node:tls';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { NodeAddress } from '@tunnox/domain/presence';
import { HEADER } from '@tunnox/protocol/names';
import { refuseTunnel } from '@tunnox/streams/answer-tunnel';
import { BRIDGE_PING_MS } from '@tunnox/streams/liveness';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { eventually } from '../../tests/support/eventually.ts';
import { CLIENT_ID, echo, helloOf, type OnTunnel } from '../../tests/support/fake-agent.ts';
import { nodeKeys } from '../../tests/support/node-keys.ts';
import { bindingOf, policyOf, sessionRig, stillWheel } from '../../tests/support/session-rig.ts';
import { RelayAdmission } from '../limits/relay-admission.ts';
import { BridgeListener } from '../listener/bridge-listener.ts';
import { ConnectionLog } from '../control-plane/connection-log.ts';
import { ConnectionGate } from '../listener/connection-gate.ts';
import { TunnelRefused } from '../upstream/tunnel-refused.ts';
import type { TunnelRequest } from '../upstream/upstream.ts';
import { UpstreamFactory } from '../upstream/upstream-factory.ts';
import { BridgeClient } from './bridge-client.ts';
import { BridgeServer } from './bridge-server.ts';
import type { PeerDirectory } from './peer-directory.ts';

const NEVER = new AbortController().signal;
const INCARNATION = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const LATER_INCARNATION = '01BX5ZZKBKACTAV9WEVGEMMVRZ';

class FakeDirectory implements PeerDirectory {
  #peers: NodeAddress[] = [];
  readonly #listeners = new Set<() => void>();

  byFingerprint(fingerprint: string): NodeAddress | undefined {
    return this.#peers.find((peer) => peer.fingerprint === fingerprint);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(...peers: NodeAddress[]): void {
    this.#peers = peers;
    for (const listener of this.#listeners) listener();
  }
}

function addressOf(nodeId: string, fingerprint: string, port: number): NodeAddress {
  return {
    node_id: nodeId,
    incarnation: INCARNATION,
    group: 'default',
    region: 'default',
    bridge: `127.0.0.1:${port}`,
    agent_tcp: '127.0.0.1:1',
    agent_ws: '127.0.0.1:1',
    fingerprint,
    status: 'online',
  };
}

/** One relay's half of the bridge. */
async function relayOf(t: TestContext, nodeId: string, secureContext: SecureContext, fingerprint: string) {
  const { clock, registry, authority, welcomed } = sessionRig(t);
  const directory = new FakeDirectory();
  const pings = stillWheel(BRIDGE_PING_MS);
  const admission = new RelayAdmission(clock);
  const client = new BridgeClient({ directory, clock, pings }, { secureContext });
  const factory = new UpstreamFactory({ registry, admission, bridge: client, log: new ConnectionLog(clock, 100) });
  const server = new BridgeServer({ registry, local: (clientId) => factory.local(clientId), pings });
  const gate = new ConnectionGate(new FakeClock(), { waitingMax: 100, waitingPerAddressMax: 100 });
  const options = { host: '127.0.0.1', port: 0, secureContext };
  const listener = new BridgeListener({ bridge: server, directory, gate }, options);
  const address = addressOf(nodeId, fingerprint, await listener.start());
  t.after(() => {
    client.stop();
    client.stop();
    listener.stop();
    server.stop();
    gate.close();
  });
  return { clock, registry, authority, welcomed, directory, admission, client, factory, server, listener, address };
}

/** Two relays that know each other; the agent is to be attached to the second. */
async function bridge(t: TestContext) {
  const [first, second] = [await nodeKeys(t), await nodeKeys(t)];
  const near = await relayOf(t, 'node-001', first.secureContext, first.fingerprint);
  const far = await relayOf(t, 'node-002', second.secureContext, second.fingerprint);
  near.directory.set(far.address);
  far.directory.set(near.address);
  return { near, far };
}

function requestOf(changes: Partial<TunnelRequest> = {}): TunnelRequest {
  return { binding: bindingOf(), tunnelId: '01ARZ3NDEKTSV4RRFFQ69G5FAW', visitor: '192.0.2.1:4711', ...changes };
}

const refusedWith = (cause: string) => (error: unknown) =>
  error instanceof TunnelRefused && error.tunnelCause === cause;

function closeOf(emitter: EventEmitter): Promise<void> {
  return new Promise((resolve) => emitter.once('close', () => resolve()));
}

test('a tunnel crosses the bridge to an agent at another relay, which counts it', async (t) => {
  const { near, far } = await bridge(t);
  const seen: Record<string, unknown> = {};
  await far.welcomed(helloOf(), (stream, bindingId, headers) => {
    Object.assign(seen, { bindingId, ...headers });
    echo(stream, bindingId, headers);
  });
  const upstream = near.factory.peer(far.address, CLIENT_ID);
  assert.equal(upstream.closed, false);
  const source = { clientId: 600_000_009, proof: 'proof' };
  const { stream } = await upstream.open(requestOf({ source, target: 'db:5432' }), NEVER);
  const closed = closeOf(stream);
  stream.end('x'.repeat(300_000));
  const answer = Buffer.concat(await stream.toArray());
  assert.equal(answer.length, 300_000);
  assert.equal(seen['bindingId'], 'mapping:1001');
  assert.equal(seen[HEADER.tunnel], '01ARZ3NDEKTSV4RRFFQ69G5FAW');
  assert.equal(seen[HEADER.visitor], '192.0.2.1:4711');
  assert.equal(seen[HEADER.source], '600000009');
  assert.equal(seen[HEADER.proof], 'proof');
  assert.equal(seen[HEADER.target], 'db:5432');
  await closed;
  await eventually(() => far.server.snapshot().tunnelsActive === 0);
  assert.deepEqual(far.admission.takeUsage(), [
    {
      binding_id: 'mapping:1001',
      client_id: CLIENT_ID,
      user_id: 100_000_001,
      bytes_in: 300_000,
      bytes_out: 300_000,
      connections: 1,
    },
  ]);
  assert.deepEqual(near.admission.takeUsage(), []);
  const [peer] = near.client.snapshot();
  assert.equal(peer?.tunnelsOpened, 1);
  assert.equal(peer?.activeStreams, 0);
  assert.ok((peer?.bytesSent ?? 0) > 300_000);
});

test('the agent’s relay answers with the cause when it does not open a tunnel', async (t) => {
  const { near, far } = await bridge(t);
  const upstream = near.factory.peer(far.address, CLIENT_ID);
  await assert.rejects(upstream.open(requestOf(), NEVER), refusedWith('not_here'));
  await far.welcomed(helloOf(), (stream) => refuseTunnel(stream, 'refused', 'Connection refused'));
  await assert.rejects(upstream.open(requestOf(), NEVER), refusedWith('refused'));
  far.registry.applyPolicy(policyOf({ config_version: 2, bindings: [bindingOf({ version: 2 })] }));
  await assert.rejects(upstream.open(requestOf(), NEVER), refusedWith('stale_binding'));
  const limited: Partial<ClientPolicy> = {
    config_version: 3,
    bindings: [bindingOf({ version: 3, access: { allow: [], deny: ['192.0.2.0/24'] } })],
  };
  far.registry.applyPolicy(policyOf(limited));
  const binding = bindingOf({ version: 3 });
  await assert.rejects(upstream.open(requestOf({ binding }), NEVER), refusedWith('denied'));
  await assert.rejects(upstream.open(requestOf({ visitor: 'x'.repeat(100) }), NEVER), refusedWith('unknown_binding'));
  assert.deepEqual(far.server.snapshot().refused, {
    not_here: 1,
    refused: 1,
    stale_binding: 1,
    denied: 1,
    unknown_binding: 1,
  });
  assert.equal(far.admission.snapshot().tunnels, 0);
});

test('the agent’s relay waits a moment for the push of a binding that the caller knows already', async (t) => {
  const { near, far } = await bridge(t);
  await far.welcomed();
  const upstream = near.factory.peer(far.address, CLIENT_ID);
  const binding = bindingOf({ binding_id: 'mapping:1002', version: 1 });
  const opening = upstream.open(requestOf({ binding }), NEVER);
  await eventually(() => far.clock.pending > 0);
  far.registry.applyPolicy(policyOf({ config_version: 2, bindings: [bindingOf(), binding] }));
  const { stream } = await opening;
  stream.destroy();
  const missing = upstream.open(requestOf({ binding: bindingOf({ binding_id: 'mapping:1003' }) }), NEVER);
  await eventually(() => far.clock.pending > 0);
  far.clock.advance(2000);
  await assert.rejects(missing, refusedWith('unknown_binding'));
});

test('a tunnel that is reset at one end of the bridge is reset at the other', async (t) => {
  const { near, far } = await bridge(t);
  const agentSide: Parameters<OnTunnel>[0][] = [];
  await far.welcomed(helloOf(), (stream, bindingId, headers) => {
    agentSide.push(stream);
    echo(stream, bindingId, headers);
  });
  const upstream = near.factory.peer(far.address, CLIENT_ID);
  const first = await upstream.open(requestOf(), NEVER);
  const agentGone = closeOf(agentSide[0] as EventEmitter);
  first.stream.destroy(new Error('The visitor has gone'));
  await agentGone;
  const second = await upstream.open(requestOf(), NEVER);
  second.stream.write('x');
  await once(second.stream, 'data');
  second.stream.on('end', () => assert.fail('the data did not end'));
  const gone = closeOf(second.stream);
  agentSide[1]?.destroy(new Error('The target has gone'));
  await gone;
  await eventually(() => far.admission.snapshot().tunnels === 0);
});

test('a caller that gives up leaves nothing behind', async (t) => {
  const { near, far } = await bridge(t);
  let opened = 0;
  await far.welcomed(helloOf(), () => (opened += 1));
  const aborter = new AbortController();
  const opening = near.factory.peer(far.address, CLIENT_ID).open(requestOf(), aborter.signal);
  await eventually(() => opened === 1);
  aborter.abort(new Error('enough'));
  await assert.rejects(opening, /enough/);
  await eventually(() => far.admission.snapshot().tunnels === 0);
  assert.equal(near.client.snapshot()[0]?.activeStreams, 0);
});

test('a relay is not let in when its key is not in the directory', async (t) => {
  const { near, far } = await bridge(t);
  far.directory.set();
  const upstream = near.factory.peer(far.address, CLIENT_ID);
  await assert.rejects(upstream.open(requestOf(), NEVER), refusedWith('lost'));
  assert.equal(far.listener.strangers, 1);
});

test('a relay is not dialled when it is not in the directory, and not trusted with another key', async (t) => {
  const { near, far } = await bridge(t);
  const stranger = await nodeKeys(t);
  const disguised = { ...far.address, fingerprint: stranger.fingerprint };
  await assert.rejects(near.factory.peer(disguised, CLIENT_ID).open(requestOf(), NEVER), refusedWith('lost'));
  assert.deepEqual(near.client.snapshot(), []);
  near.directory.set(disguised);
  await assert.rejects(near.factory.peer(disguised, CLIENT_ID).open(requestOf(), NEVER), (error: Error) => {
    return refusedWith('lost')(error) && /its key is not the one/.test(error.message);
  });
  assert.equal(near.client.snapshot()[0]?.failedDials, 1);
  assert.equal(far.server.snapshot().sessions, 0);
});

test('sessions of a peer end when it leaves the directory or comes back as a new incarnation', async (t) => {
  for (const change of ['left', 'restarted'] as const) {
    const { near, far } = await bridge(t);
    await far.welcomed();
    const upstream = near.factory.peer(far.address, CLIENT_ID);
    const { stream } = await upstream.open(requestOf(), NEVER);
    const gone = closeOf(stream);
    if (change === 'left') near.directory.set();
    else near.directory.set({ ...far.address, incarnation: LATER_INCARNATION });
    await gone;
    assert.equal(upstream.closed, true);
    assert.deepEqual(near.client.snapshot(), []);
    await assert.rejects(upstream.open(requestOf(), NEVER), refusedWith('lost'));
    await eventually(() => far.server.snapshot().sessions === 0);
  }
});

test('a later incarnation is dialled before the directory names it, and the earlier one no more', async (t) => {
  const { near, far } = await bridge(t);
  await far.welcomed();
  const later = near.factory.peer({ ...far.address, incarnation: LATER_INCARNATION }, CLIENT_ID);
  (await later.open(requestOf(), NEVER)).stream.destroy();
  const earlier = near.factory.peer(far.address, CLIENT_ID);
  assert.equal(earlier.closed, true);
  await assert.rejects(earlier.open(requestOf(), NEVER), refusedWith('lost'));
  assert.notEqual(earlier.key, later.key);
});

test('a relay that is no longer registered is thrown out', async (t) => {
  const { near, far } = await bridge(t);
  await far.welcomed();
  const { stream } = await near.factory.peer(far.address, CLIENT_ID).open(requestOf(), NEVER);
  const gone = closeOf(stream);
  far.directory.set();
  await gone;
});

test('a peer that cannot be reached is `lost`', async (t) => {
  const { near, far } = await bridge(t);
  far.listener.stop();
  far.server.stop();
  await assert.rejects(near.factory.peer(far.address, CLIENT_ID).open(requestOf(), NEVER), refusedWith('lost'));
  assert.equal(near.client.snapshot()[0]?.failedDials, 1);
});
