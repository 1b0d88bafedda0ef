import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { HEADER } from '@tunnox/protocol/names';
import { refuseTunnel } from '@tunnox/streams/answer-tunnel';
import { resetStream } from '@tunnox/streams/reset-stream';
import { CLIENT_ID, echo, helloOf, type OnTunnel } from '../../tests/support/fake-agent.ts';
import { bindingOf, policyOf, sessionRig, stillWheel } from '../../tests/support/session-rig.ts';
import { BridgeClient } from '../bridge/bridge-client.ts';
import { RelayAdmission } from '../limits/relay-admission.ts';
import { type LoggedTunnel, visitorOf } from './tunnel-log.ts';
import { TunnelRefused } from './tunnel-refused.ts';
import { UpstreamFactory } from './upstream-factory.ts';
import type { TunnelRequest, Upstream } from './upstream.ts';

const NEVER = new AbortController().signal;

async function rig(t: TestContext) {
  const { clock, registry, welcomed } = sessionRig(t);
  const directory = { byFingerprint: () => undefined, onChange: () => () => {} };
  const bridge = new BridgeClient({ directory, clock, pings: stillWheel(1) }, { secureContext: null });
  const admission = new RelayAdmission(clock);
  const ended: LoggedTunnel[] = [];
  const log = { now: () => clock.now(), ended: (tunnel: LoggedTunnel) => void ended.push(tunnel) };
  const factory = new UpstreamFactory({ registry, admission, bridge, log });
  const attached = async (onTunnel: OnTunnel = echo, connectSeq = 1) => {
    const agent = await welcomed(helloOf({ connect_seq: connectSeq }), onTunnel);
    return { agent, upstream: factory.local(CLIENT_ID) as Upstream };
  };
  return { clock, registry, admission, factory, attached, ended };
}

function requestOf(changes: Partial<TunnelRequest> = {}): TunnelRequest {
  return { binding: bindingOf(), tunnelId: '01ARZ3NDEKTSV4RRFFQ69G5FAW', visitor: '192.0.2.1:4711', ...changes };
}

const refusedWith = (cause: string) => (error: unknown) =>
  error instanceof TunnelRefused && error.tunnelCause === cause;

test('UpstreamFactory.local() gives the same upstream for a session, another for the next, none without', async (t) => {
  const { factory, attached } = await rig(t);
  assert.equal(factory.local(CLIENT_ID), undefined);
  const { upstream } = await attached();
  assert.equal(factory.local(CLIENT_ID), upstream);
  assert.equal(upstream.closed, false);
  const next = await attached(echo, 2);
  assert.notEqual(next.upstream.key, upstream.key);
  assert.equal(upstream.closed, true);
  assert.equal(next.upstream.closed, false);
  await assert.rejects(upstream.open(requestOf(), NEVER), refusedWith('lost'));
});

test('LocalUpstream.open() gives a tunnel to the agent and what the agent must know', async (t) => {
  const { attached, admission } = await rig(t);
  const seen: Record<string, unknown> = {};
  const { upstream } = await attached((stream, bindingId, headers) => {
    Object.assign(seen, headers);
    echo(stream, bindingId, headers);
  });
  const { stream, meter } = await upstream.open(requestOf(), NEVER);
  assert.equal(admission.snapshot().tunnels, 1);
  assert.equal(seen[':authority'], 'mapping:1001');
  assert.equal(seen[HEADER.visitor], '192.0.2.1:4711');
  assert.equal(HEADER.source in seen, false);
  assert.equal(HEADER.target in seen, false);
  assert.deepEqual(meter, { bytesIn: 0, bytesOut: 0 });
  const closed = once(stream, 'close');
  stream.end('hello');
  assert.equal(String(Buffer.concat(await stream.toArray())), 'hello');
  await closed;
  assert.equal(admission.snapshot().tunnels, 0);
});

test('LocalUpstream.open() refuses by policy before the agent hears of it', async (t) => {
  const { attached, registry, admission } = await rig(t);
  const { upstream } = await attached(() => assert.fail('the agent must not be asked'));
  registry.applyPolicy(policyOf({ bindings: [bindingOf({ version: 2 })] }));
  await assert.rejects(upstream.open(requestOf(), NEVER), refusedWith('stale_binding'));
  const disabled = bindingOf({ version: 2, enabled: false });
  registry.applyPolicy(policyOf({ bindings: [disabled] }));
  await assert.rejects(upstream.open(requestOf({ binding: disabled }), NEVER), refusedWith('disabled'));
  const limits = { max_connections_per_mapping: 0, bandwidth_bytes_per_s: null, traffic_remaining_bytes: null };
  registry.applyPolicy(policyOf({ limits }));
  await assert.rejects(upstream.open(requestOf(), NEVER), refusedWith('connection_limit'));
  assert.equal(admission.snapshot().tunnels, 0);
});

test('LocalUpstream.open() frees its place when the agent refuses, is lost, or the caller gives up', async (t) => {
  const { attached, admission } = await rig(t);
  const refusing = await attached((stream) => refuseTunnel(stream, 'timeout', 'The target does not answer'));
  await assert.rejects(refusing.upstream.open(requestOf(), NEVER), refusedWith('timeout'));
  const aborter = new AbortController();
  const silent = await attached(() => aborter.abort(new Error('enough')), 2);
  await assert.rejects(silent.upstream.open(requestOf(), aborter.signal), /enough/);
  const dying = await attached((stream) => stream.session?.destroy(), 3);
  await assert.rejects(dying.upstream.open(requestOf(), NEVER), refusedWith('lost'));
  assert.equal(admission.snapshot().tunnels, 0);
});

test('LocalUpstream.open() serves a binding that the policy does not have yet', async (t) => {
  const { attached } = await rig(t);
  const { upstream } = await attached();
  const { stream } = await upstream.open(requestOf({ binding: bindingOf({ binding_id: 'mapping:1002' }) }), NEVER);
  stream.destroy();
});

test('LocalUpstream tells of a tunnel once, when it has ended: who, how long, how much, and why', async (t) => {
  const { attached, ended, clock, admission, registry } = await rig(t);
  const { agent, upstream } = await attached();
  const open = (changes: Partial<TunnelRequest> = {}) => upstream.open(requestOf(changes), NEVER);
  const endOf = async (stream: Duplex, end: () => void) => {
    const closed = new Promise((resolve) => stream.on('close', resolve));
    stream.on('error', () => {});
    stream.resume();
    end();
    await closed;
    return ended.at(-1);
  };

  const first = await open();
  first.meter.bytesIn += 5;
  first.meter.bytesOut += 7;
  assert.equal(ended.length, 0);
  clock.advance(1500);
  const { meter, ...line } = (await endOf(first.stream, () => first.stream.end())) ?? assert.fail();
  assert.deepEqual(meter, { bytesIn: 5, bytesOut: 7 });
  assert.deepEqual(line, {
    ...{ tunnelId: requestOf().tunnelId, bindingId: 'mapping:1001', clientId: CLIENT_ID, userId: policyOf().user_id },
    ...{ visitor: '192.0.2.1', startedAtMs: clock.now() - 1500, endedAtMs: clock.now(), closeReason: 'closed' },
  });

  const reset = await open({ visitor: '[2001:db8::1]:80', source: { clientId: 600_000_009, proof: 'x' } });
  const resetLine = await endOf(reset.stream, () => resetStream(reset.stream));
  assert.deepEqual([resetLine?.closeReason, resetLine?.visitor], ['closed', 'client:600000009']);

  const changed = await open();
  const changedLine = await endOf(changed.stream, () => {
    const policy = policyOf({ config_version: 9, bindings: [bindingOf({ enabled: false, version: 2 })] });
    registry.applyPolicy(policy);
    admission.applyPolicy(policy);
  });
  assert.equal(changedLine?.closeReason, 'stale_binding');

  registry.applyPolicy(policyOf({ config_version: 10, bindings: [bindingOf()] }));
  const lost = await open();
  assert.equal((await endOf(lost.stream, () => agent.session.destroy()))?.closeReason, 'lost');
  assert.equal(ended.length, 4);
});

test('visitorOf() leaves the port out', () => {
  const of = (visitor: string) => visitorOf(requestOf({ visitor }));
  assert.deepEqual(['192.0.2.1:80', '[2001:db8::1]:443', '2001:db8::1', 'x'.repeat(99)].map(of), [
    '192.0.2.1',
    '2001:db8::1',
    '2001:db8::1',
    'x'.repeat(64),
  ]);
});
