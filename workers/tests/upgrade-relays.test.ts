import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePortBlock } from '@tunnox/testing/port-block';
import { waitFor } from '@tunnox/testing/wait-for';
import { LiveHarness, type Tenant } from './live-harness.ts';
import { readProgram } from './previous-version/fixture.ts';
import { RunningProgram } from './previous-version/running-program.ts';

const NEW_RELAY = fileURLToPath(new URL('../../relay/src/main.ts', import.meta.url));
const NEW_AGENT = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
const HOST = '127.0.0.1';
const WAIT_MS = 20_000;

interface Relay {
  program: RunningProgram;
  nodeId: string;
  httpPort: number;
}

let live: LiveHarness;
let dir: string;
let tenant: Tenant;
let target: Server;
const programs: RunningProgram[] = [];

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunnox-mixed-'));
  live = await LiveHarness.start();
  tenant = await live.tenant();
  target = createServer((visit, response) => response.end(`${visit.headers.host} ${visit.url}`));
  target.listen(0, HOST);
  await once(target, 'listening');
});
after(async () => {
  for (const program of programs.reverse()) await program.stop();
  target?.close();
  target?.closeAllConnections();
  await live?.stop();
  await rm(dir, { recursive: true, force: true });
});

test(
  'relays and agents of both versions serve one another while relays are upgraded',
  { timeout: 180_000 },
  async () => {
    const oldRelay = await startRelay('old', await unpack('relay'));
    const names = [
      await startAgent('old-agent', await unpack('agent'), oldRelay),
      await startAgent('new-agent', NEW_AGENT, oldRelay),
    ];
    for (const name of names) await visited(oldRelay, name);

    // A change comes through the old relay to agents of both versions.
    for (const name of names) {
      const { domains } = await live.api<{ domains: { domain_id: number; full_domain: string }[] }>('GET', '/domains');
      const id = domains.find((domain) => domain.full_domain === name)?.domain_id;
      const change = { host_header: `inside.${name}` };
      const changed = await live.api<{ delivery: { state: string }[] }>('PUT', `/domains/${id}`, change);
      assert.deepEqual(
        changed.delivery.map(({ state }) => state),
        ['applied'],
      );
      assert.match(await visited(oldRelay, name), /^inside\./);
    }

    // The next relay is a new one: visitors come to it, and over the bridge to the old one.
    const newRelay = await startRelay('new', NEW_RELAY);
    for (const name of names) assert.match(await visited(newRelay, name), /^inside\./);

    // The old one ends: its agents move, and what it has counted is not lost.
    await oldRelay.program.stop();
    for (const name of names) await visited(newRelay, name);
    const { clients } = await live.api<{ clients: { node_id: string | null }[] }>(
      'GET',
      '/clients',
      undefined,
      tenant.apiKey,
    );
    assert.deepEqual(new Set(clients.map((client) => client.node_id)), new Set([newRelay.nodeId]));
    const use = await live.api<{ current_month_traffic: number }>('GET', `/users/${tenant.userId}/quota`);
    assert.ok(use.current_month_traffic > 0, 'the old relay has reported its traffic');

    // And a relay of the old version can come to new ones.
    const another = await startRelay('another', await unpack('relay'));
    for (const name of names) await visited(another, name);
  },
);

async function unpack(name: 'relay' | 'agent'): Promise<string> {
  const file = join(dir, `${name}.mjs`);
  await writeFile(file, await readProgram(name));
  return file;
}

async function startRelay(name: string, file: string): Promise<Relay> {
  const first = await freePortBlock(30);
  const ports = ['AGENT_TCP', 'AGENT_WS', 'HTTP', 'HTTPS', 'BRIDGE', 'METRICS'].map(
    (port, index) => [`TUNNOX_${port}_PORT`, String(first + index)] as const,
  );
  const program = new RunningProgram(`The relay '${name}'`, file, [], {
    ...Object.fromEntries(ports),
    TUNNOX_PUBLIC_PORTS: `${first + 10}-${first + 19}`,
    TUNNOX_API_URL: live.plane.apiUrl,
    TUNNOX_JOIN_TOKEN: await live.joinToken(),
    TUNNOX_STATE_DIR: join(dir, name),
    TUNNOX_BIND: HOST,
    TUNNOX_PUBLIC_ADDRESS: HOST,
    TUNNOX_DRAIN_SECONDS: '2',
  });
  programs.push(program);
  const ready = await program.says((line) => line['type'] === 'ready');
  return { program, nodeId: String(ready['node_id']), httpPort: first + 2 };
}

/** @returns The name that it serves. */
async function startAgent(name: string, file: string, relay: Relay): Promise<string> {
  const port = String((target.address() as AddressInfo).port);
  const program = new RunningProgram(`The agent '${name}'`, file, ['http', port, '--subdomain', name, '--json'], {
    TUNNOX_SERVER: live.plane.apiUrl,
    TUNNOX_API_KEY: tenant.apiKey,
    TUNNOX_CONFIG_DIR: join(dir, name),
  });
  programs.push(program);
  const ready = await program.says((line) => line['event'] === 'ready');
  assert.equal(ready['node_id'], relay.nodeId);
  return new URL(String(ready['url'])).hostname;
}

/** Visits until it is answered: agents that move, and relays that have just heard of one another, take a moment. */
async function visited(relay: Relay, name: string): Promise<string> {
  let text = '';
  await waitFor(async () => {
    const answer = await visit(relay, name);
    text = answer.text;
    assert.equal(answer.status, 200, text);
    return true;
  }, WAIT_MS);
  return text;
}

function visit({ httpPort }: Relay, name: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: HOST, port: httpPort, path: '/hello', headers: { host: name }, agent: false },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
        answer.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}
