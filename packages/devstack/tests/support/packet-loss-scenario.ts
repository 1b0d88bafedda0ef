/**
 * Run in a network namespace of its own by packet-loss.test.ts: a platform and an agent, then every packet between the
 * agent and its relay is dropped, without a reset or a close that either could see.
 */
import assert from 'node:assert/strict';
import { setTimeout as pass } from 'node:timers/promises';
import { startAgent } from '@tunnox/testing/agent';
import { startStack } from '@tunnox/testing/stack';
import { eventually } from './eventually.ts';
import { run } from './lines.ts';
import { startTargetService } from './target-service.ts';
import { createTenant } from './tenant.ts';
import { visit } from './visit.ts';

const DROPPED_MS = 60_000;
const HOST = 'lossy.tunnox.localhost';

const platform = await startStack({ env: { TUNNOX_DEMO: 'off' } });
const service = await startTargetService('lossy');
const { apiKey } = await createTenant(platform.stack);
const agent = await startAgent(platform, ['http', String(service.port), '--subdomain', 'lossy'], apiKey);
try {
  const { node_id: first } = await agent.ready();
  const relay = platform.stack.relays.find(({ node_id }) => node_id === first);
  const port = relay?.agent_tcp.split(':')[1] ?? '';
  await serves();
  await filter('-A', port);
  // It notices by itself and goes to the other relay, while the first one still believes in the old connection.
  const moved = await agent.next('connected');
  assert.notEqual(moved['node_id'], first);
  await serves();
  await pass(DROPPED_MS);
  await serves();
  // The packets flow again: the first relay learns that its connection is dead, and says so late.
  await filter('-D', port);
  for (let round = 0; round < 20; round += 1) {
    await serves();
    await pass(500);
  }
  assert.equal(agent.events.filter(({ event }) => event === 'connected').at(-1)?.['node_id'], moved['node_id']);
  process.stdout.write('recovered at both relays\n');
} finally {
  await agent.stop();
  await service.stop();
  await platform.stop();
}

/** Adds (`-A`) or deletes (`-D`) the rules that drop what goes to and from a port. */
async function filter(action: '-A' | '-D', port: string): Promise<void> {
  for (const side of ['--dport', '--sport']) {
    const { code, stderr } = await run('iptables', [
      action,
      'OUTPUT',
      '-o',
      'lo',
      '-p',
      'tcp',
      side,
      port,
      '-j',
      'DROP',
    ]);
    assert.equal(code, 0, stderr);
  }
}

async function serves(): Promise<void> {
  for (const { http } of platform.stack.relays) {
    await eventually(
      () => visit({ address: http }, HOST, '/', { timeoutMs: 5_000 }),
      ({ status, text }) => status === 200 && text === 'lossy',
      10_000,
    );
  }
}
