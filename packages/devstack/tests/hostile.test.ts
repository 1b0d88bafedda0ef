import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { after, before, it } from 'node:test';
import { startAgent, type AgentProcess } from '@tunnox/testing/agent';
import { eventually } from './support/eventually.ts';
import { inMode } from './support/modes.ts';
import { gauge } from './support/gauge.ts';
import { residentBytes } from './support/resident-bytes.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { createTenant } from './support/tenant.ts';
import { visit } from './support/visit.ts';

const SILENT = 10_000;
const ROUNDS_MAX = 6;
/** Half of what 10 000 silent connections cost, at the least that was measured for one. */
const LEAK_BYTES = 14 * 1024 * 1024;
const UNKNOWN_NAMES = 100_000;
const SCANNERS = 8;
const SCAN_TIMEOUT_MS = 600_000;
/** Requests in one write of the scan. */
const PIPELINED = 50;
const MEMORY_GROWTH_MAX = 48 * 1024 * 1024;

inMode('hostile input', { env: { TUNNOX_DEMO: 'off', TUNNOX_RESTART: 'off' } }, false, (context) => {
  let service: TargetService;
  let agent: AgentProcess;
  const relay = () => {
    const [first] = context.platform.stack.relays;
    if (first === undefined) throw new Error('There is no relay');
    return first;
  };

  before(async () => {
    const { apiKey } = await createTenant(context.platform.stack);
    service = await startTargetService('calm');
    agent = await startAgent(context.platform, ['http', String(service.port), '--subdomain', 'calm'], apiKey);
    await agent.ready();
    await servesOthers();
  });
  after(async () => {
    await agent.stop();
    await service.stop();
  });

  it('garbage, truncated and oversized input on every port: others are served, the sender is let go', async () => {
    const { agent_tcp, agent_ws, http, https, bridge, metrics, public_ports } = relay();
    const addresses = [agent_tcp, agent_ws, http, https, bridge, metrics, `127.0.0.1:${public_ports.split('-')[0]}`];
    for (const address of addresses) {
      for (const input of hostileInputs()) {
        const socket = await dial(address);
        // Let go: in order or by a reset, at the latest after the time that a silent connection has.
        const letGo = new Promise<void>((resolve) => socket.once('close', () => resolve()));
        socket.end(input);
        socket.resume();
        if (!socket.destroyed) await letGo;
      }
    }
    await servesOthers();
  });

  it('10 000 connections that say nothing: others are served, and all of it is freed', async () => {
    const { agent_tcp, http, https, bridge } = relay();
    const round = async () => {
      const sockets: Socket[] = [];
      for (const address of [agent_tcp, http, https, bridge]) {
        for (let done = 0; done < SILENT / 4; done += 250) {
          sockets.push(...(await Promise.all(Array.from({ length: 250 }, () => dial(address)))));
        }
      }
      await servesOthers();
      for (const socket of sockets) socket.destroy();
      await eventually(
        () => gauge(relay().metrics, 'tunnox_http_connections'),
        (open) => open < 20,
      );
      await servesOthers();
    };
    // What a round needs at once is given back late, so the first ones may still grow; a leak of this many connections
    // would show in every round.
    let highest = 0;
    const growths: number[] = [];
    for (let rounds = 0; rounds < ROUNDS_MAX; rounds += 1) {
      await round();
      const now = residentBytes(relay().pid);
      const grown = now - highest;
      highest = Math.max(highest, now);
      if (grown < LEAK_BYTES) return;
      growths.push(grown);
    }
    assert.fail(`it grew in every round, by ${growths.join(', ')} bytes`);
  });

  it('a scan of 100 000 unknown host names: 404 or 503 for each, no Durable Object for any', async () => {
    const objects = countObjects();
    const scanFrom = (first: number, count: number) =>
      Promise.all(
        Array.from({ length: SCANNERS }, (_, index) =>
          scan(relay().http, first + (index * count) / SCANNERS, count / SCANNERS),
        ),
      );
    // What a scan needs at all is there after its first part; what the rest adds would be kept for each name.
    await scanFrom(0, UNKNOWN_NAMES / 5);
    const after = residentBytes(relay().pid);
    await scanFrom(UNKNOWN_NAMES / 5, (UNKNOWN_NAMES * 4) / 5);
    const grown = residentBytes(relay().pid) - after;
    assert.ok(grown < MEMORY_GROWTH_MAX, `grew by ${grown} bytes`);
    assert.equal(countObjects(), objects);
    await servesOthers();
  });

  async function servesOthers(): Promise<void> {
    for (const { http } of context.platform.stack.relays) {
      const answer = await visit({ address: http }, 'calm.tunnox.localhost');
      assert.deepEqual([answer.status, answer.text], [200, 'calm']);
    }
  }

  /** Files below the folder of the Durable Objects: one at least for each object that exists. */
  function countObjects(): number {
    const entries = readdirSync(context.platform.home, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile() && entry.name.endsWith('.sqlite')).length;
  }
});

function hostileInputs(): Buffer[] {
  return [
    Buffer.alloc(0),
    Buffer.from([0]),
    randomBytes(100),
    randomBytes(1024 * 1024),
    Buffer.from('GET / HTTP/1.1\r\nHost: calm.tunnox.localhost'),
    Buffer.from(`GET / HTTP/1.1\r\nHost: calm.tunnox.localhost\r\nX: ${'a'.repeat(300_000)}\r\n\r\n`),
    Buffer.from(
      'POST / HTTP/1.1\r\nHost: calm.tunnox.localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    ),
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), randomBytes(4096)]),
    Buffer.from('TUNNOX-SERVE/1\r\n'),
    Buffer.concat([Buffer.from('TUNNOX-SERVE/1\r\n'), randomBytes(4096)]),
    Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0x40, 0x00]), randomBytes(16_384)]),
    Buffer.from(
      'GET /serve HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\n\r\n',
    ),
  ];
}

async function dial(address: string): Promise<Socket> {
  const [host, port] = address.split(':');
  const socket = connect(Number(port), host);
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    socket.once('connect', () => resolve());
    socket.once('close', () => resolve());
  });
  return socket;
}

/** Pipelined requests for `count` names that nobody has, from number `first` on; counts the answers. */
async function scan(address: string, first: number, count: number): Promise<void> {
  const end = first + count;
  let next = first;
  while (next < end) {
    const socket = await dial(address);
    let answers = 0;
    let expected = 0;
    let tail = '';
    const send = () => {
      let batch = '';
      for (let sent = 0; sent < PIPELINED && next < end; sent += 1, next += 1, expected += 1) {
        batch += `HEAD / HTTP/1.1\r\nHost: n${next}.tunnox.localhost\r\n\r\n`;
      }
      socket.write(batch);
    };
    socket.on('data', (chunk: Buffer) => {
      const heads = (tail + chunk.toString('latin1')).split('\r\n\r\n');
      tail = heads.pop() ?? '';
      for (const head of heads) if (!/^HTTP\/1\.1 (?:404|503) /.test(head)) socket.destroy(new Error(head));
      answers += heads.length;
      if (answers >= expected) {
        if (next < end) send();
        else socket.end();
      }
    });
    const closed = once(socket, 'close', { signal: AbortSignal.timeout(SCAN_TIMEOUT_MS) });
    send();
    await closed;
    assert.ok(answers > 0, 'the relay answered nothing');
    // A relay that closes in between is asked for the rest on a new connection.
    next -= expected - answers;
  }
}
