import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { decodeJwt } from 'jose';
import { FakeRelay } from './fake-relay.ts';
import { LiveHarness } from './live-harness.ts';

describe('relay registration', () => {
  let live: LiveHarness;
  before(async () => {
    live = await LiveHarness.start();
  });
  after(() => live?.stop());

  const newRelay = () => new FakeRelay(live.plane.apiUrl);
  const codeOf = async (response: Response) =>
    `${response.status} ${((await response.json()) as { code: string }).code}`;

  test('gives a new key an id for a join token, once for a token of one use', async () => {
    const join_token = await live.joinToken(1);
    const relay = newRelay();
    const answer = await relay.register({ join_token, region: 'eu' });
    assert.match(answer.node_id, /^node-\d{3}$/);
    assert.equal(answer.lease_ms, 30_000);
    assert.deepEqual(answer.base_domains, [live.plane.baseDomain]);
    assert.equal(answer.ticket_keys.keys.length, 1);
    assert.ok(!('d' in answer.ticket_keys.keys[0]!), 'public keys only');
    assert.equal(await codeOf(await newRelay().tryRegister({ join_token })), '403 forbidden');
    const [row] = await live.sql<{ status: string; region: string }>(
      'select status, region from relay_nodes where node_id = $1',
      answer.node_id,
    );
    assert.deepEqual(row, { status: 'starting', region: 'eu' });
  });

  test('lets many relays race for the uses of one token, and no more than it has', async () => {
    const join_token = await live.joinToken(3);
    const relays = Array.from({ length: 8 }, newRelay);
    const answers = await Promise.all(relays.map((relay) => relay.tryRegister({ join_token })));
    assert.equal(answers.filter((answer) => answer.status === 200).length, 3);
    const ids = await Promise.all(
      answers
        .filter((answer) => answer.status === 200)
        .map(async (answer) => ((await answer.json()) as { node_id: string }).node_id),
    );
    assert.equal(new Set(ids).size, 3);
  });

  test('refuses an unknown key without a token, a wrong and a revoked token', async () => {
    assert.equal(await codeOf(await newRelay().tryRegister()), '403 forbidden');
    assert.equal(await codeOf(await newRelay().tryRegister({ join_token: 'tnx_join_wrong' })), '403 forbidden');
    const { token_id, join_token } = await live.api<{ token_id: number; join_token: string }>('POST', '/join-tokens', {
      uses: null,
    });
    await live.api('DELETE', `/join-tokens/${token_id}`);
    assert.equal(await codeOf(await newRelay().tryRegister({ join_token })), '403 forbidden');
  });

  test('gives a restarted relay its id back without a token, under a greater incarnation', async () => {
    const relay = newRelay();
    const first = await relay.register({ join_token: await live.joinToken() });
    await relay.open();
    await relay.ping();
    const second = await relay.register();
    assert.equal(second.node_id, first.node_id);
    assert.ok(second.incarnation > first.incarnation);
    assert.equal((await relay.receive('superseded')).type, 'superseded');
    assert.equal(await relay.closed(), 4001);
    assert.equal((await relay.call('/keys', { token: first.token })).status, 401);
    assert.equal((await relay.call('/keys')).status, 200);
  });

  test('renews the token of a running relay without a new incarnation', async () => {
    const relay = newRelay();
    const first = await relay.register({ join_token: await live.joinToken() });
    await relay.open();
    const second = await relay.register({ incarnation: first.incarnation });
    assert.equal(second.incarnation, first.incarnation);
    assert.equal(second.node_id, first.node_id);
    await relay.ping();
    await relay.register();
    assert.equal(await codeOf(await relay.tryRegister({ incarnation: first.incarnation })), '401 unauthenticated');
  });

  test('refuses a replayed, foreign, misdirected or untimely assertion', async () => {
    const relay = newRelay();
    const assertion = await relay.assertion();
    await relay.register({ join_token: await live.joinToken(), assertion });
    assert.equal(await codeOf(await relay.tryRegister({ assertion })), '401 unauthenticated');
    const stranger = newRelay();
    const join_token = await live.joinToken(5);
    const same = { join_token, assertion: await stranger.assertion() };
    const twice = await Promise.all([stranger.tryRegister(same), stranger.tryRegister(same)]);
    assert.deepEqual(twice.map(({ status }) => status).sort(), [200, 401]);
    const [token] = await live.sql<{ uses_left: number }>('select uses_left from join_tokens order by id desc limit 1');
    assert.equal(token?.uses_left, 4);
    const foreign = await newRelay().assertion();
    assert.equal(await codeOf(await relay.tryRegister({ assertion: foreign })), '401 unauthenticated');
    const misdirected = await relay.assertion({ aud: 'other' });
    assert.equal(await codeOf(await relay.tryRegister({ assertion: misdirected })), '401 unauthenticated');
    assert.equal(await codeOf(await relay.tryRegister({ assertion: 'a.b.c' })), '401 unauthenticated');

    const late = await relay.tryRegister({ assertion: await relay.assertion({ iat: (Date.now() / 1000 - 3600) | 0 }) });
    const problem = (await late.json()) as { code: string; detail: string };
    assert.equal(late.status, 401);
    assert.equal(problem.code, 'clock_skew');
    assert.match(problem.detail, /60 minutes behind/);
  });

  test('answers a body that is not right with the place of the fault', async () => {
    const response = await newRelay().tryRegister({ ports: { agent_tcp: 0 } });
    assert.equal(response.status, 422);
    const { errors } = (await response.json()) as { errors: { pointer: string }[] };
    assert.ok(errors.some((fault) => fault.pointer === '/ports/agent_tcp'));
    const ports = { agent_tcp: 1, agent_ws: 2, http: 3, https: 4, bridge: 5, metrics: 6 };
    const useless = [
      { ports: { ...ports, public_from: 2, public_to: 1 } },
      { version: 'a\u0000' },
      { public_address: '' },
    ];
    for (const body of useless) assert.equal(await codeOf(await newRelay().tryRegister(body)), '422 invalid');
    const malformed = await fetch(`${live.plane.apiUrl}/relay/v1/register`, { method: 'POST', body: '{' });
    assert.equal(await codeOf(malformed), '400 malformed');
  });

  test('takes nothing without a token, and no token of another purpose', async () => {
    const relay = await live.relay();
    for (const path of ['/keys', '/peers', '/lookup?endpoint=a.b', '/session']) {
      const response = await fetch(`${live.plane.apiUrl}/relay/v1${path}`);
      assert.equal(response.status, 401, path);
      await response.body?.cancel();
    }
    const { access_token, ticket } = await live.session(null);
    assert.equal((await relay.call('/keys', { token: access_token })).status, 401);
    assert.equal((await relay.call('/keys', { token: ticket })).status, 401);
    const tampered = relay.registration.token.replace(/\..*\./, (claims) => claims.replace(/.\.$/, 'A.'));
    assert.equal((await relay.call('/keys', { token: tampered })).status, 401);
    assert.equal(decodeJwt(relay.registration.token).aud, 'tunnox-relay-api');
  });

  test('opens a session only for a WebSocket of the current incarnation', async () => {
    const relay = await live.relay();
    assert.equal(
      await codeOf(await relay.call(`/session?incarnation=${relay.registration.incarnation}`)),
      '426 protocol_unsupported',
    );
    await relay.ping();
    await relay.open();
    await relay.ping();
    const [row] = await live.sql<{ status: string }>('select status from relay_nodes where node_id = $1', relay.nodeId);
    assert.equal(row?.status, 'online');
  });

  test('tells relays of each other', async () => {
    const first = await live.relay();
    const second = await live.relay();
    const { peers } = await first.receive('peers', (message) =>
      message.peers.some((peer) => peer.node_id === second.nodeId && peer.status === 'online'),
    );
    assert.ok(!peers.some((peer) => peer.node_id === first.nodeId), 'a relay is not its own peer');
    const listed = (await (await second.call('/peers')).json()) as { peers: { node_id: string }[] };
    assert.ok(listed.peers.some((peer) => peer.node_id === first.nodeId));
    first.send({ type: 'leaving' });
    await second.receive('peers', (message) => !message.peers.some((peer) => peer.node_id === first.nodeId));
  });

  test('drains by API, and a session that comes back stays draining', async () => {
    const relay = await live.relay();
    await live.api('POST', `/nodes/${relay.nodeId}/drain`, { deadline_s: 5 });
    assert.equal((await relay.receive('drain')).deadline_ms, 5000);
    relay.drop();
    await relay.open();
    await relay.ping();
    const [row] = await live.sql<{ status: string }>('select status from relay_nodes where node_id = $1', relay.nodeId);
    assert.equal(row?.status, 'draining');
    const { relays } = await live.session(null);
    assert.ok(!relays.some((one) => one.node_id === relay.nodeId), 'agents are not sent there');
  });

  test('shows the load that a relay reports', async () => {
    const relay = await live.relay();
    const load = { clients: 7, tunnels: 9, cpu: 0.25, memory_bytes: 2 ** 33, bandwidth_bytes_per_s: 1.5 };
    relay.send({ type: 'load', ...load });
    const deadline = Date.now() + 3000;
    for (;;) {
      const [row] = await live.sql(
        'select clients, tunnels, cpu, memory_bytes::float8, bandwidth_bytes_per_s from relay_nodes where node_id = $1',
        relay.nodeId,
      );
      if ((row as { clients: number }).clients === 7) {
        assert.deepEqual(row, load);
        break;
      }
      assert.ok(Date.now() < deadline, 'the load is stored');
    }
    const { relays } = await live.session(null);
    assert.ok(relays.some((one) => one.node_id === relay.nodeId));
  });

  test('closes a session whose messages cannot be read', async () => {
    const relay = await live.relay();
    relay.sendRaw('nonsense');
    assert.equal(await relay.closed(), 4002);
  });
});

describe('node ids', () => {
  let live: LiveHarness;
  before(async () => {
    live = await LiveHarness.start();
  });
  after(() => live?.stop());

  test('run out at 1000, give the use of the token back, and free the node that has been gone for a day', async () => {
    // As a database looks whose objects have not been asked yet.
    await live.sql(`
      insert into relay_nodes (node_id, fingerprint, incarnation, relay_group, region, public_address, internal_address,
        agent_tcp_port, agent_ws_port, http_port, https_port, bridge_port, metrics_port, public_from, public_to, version,
        status, last_heartbeat_at)
      select 'node-' || lpad(n::text, greatest(3, length(n::text)), '0'), 'key-' || n, '01J00000000000000000000000', 'default', 'default', 'a', 'a',
        1, 1, 1, 1, 1, 1, 1, 1, '1', 'offline', now() - interval '23 hours' from generate_series(1, 1000) n`);
    const join_token = await live.joinToken(1);
    const relay = new FakeRelay(live.plane.apiUrl);
    const refused = await relay.tryRegister({ join_token });
    assert.equal(((await refused.json()) as { code: string }).code, 'nodes_exhausted');
    const [token] = await live.sql<{ uses_left: number }>('select uses_left from join_tokens');
    assert.equal(token?.uses_left, 1);

    await live.plane.pause();
    await rm(live.plane.storageDir, { recursive: true, force: true });
    await live.sql(`update relay_nodes set last_heartbeat_at = now() - interval '25 hours' where node_id = 'node-077'`);
    await live.plane.resume();
    assert.equal((await relay.register({ join_token })).node_id, 'node-077');
    const [row] = await live.sql<{ fingerprint: string }>(
      `select fingerprint from relay_nodes where node_id = 'node-077'`,
    );
    assert.notEqual(row?.fingerprint, 'key-77');
  });
});
