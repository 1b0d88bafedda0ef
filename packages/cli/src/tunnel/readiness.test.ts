import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Traffic } from '@tunnox/agent/traffic';
import { Readiness } from './readiness.ts';

const relay = { nodeId: 'node-001', region: 'default', transport: 'tls' };

function readiness(): Readiness {
  const agent = { nodeId: null, latencyMs: null, visiting: false, traffic: new Traffic() };
  return new Readiness(agent, 'https://api.example.com', true);
}

test('Readiness.status() shows a setback until a connection stands, then what went wrong with a tunnel before', () => {
  const shown = readiness();
  shown.problem('Nothing listens');
  shown.setback('The connection was lost');
  assert.equal(shown.status().lastProblem?.message, 'The connection was lost');
  shown.connected(relay);
  assert.equal(shown.status().lastProblem?.message, 'Nothing listens');
});

test('Readiness.status() tells how long the agent waits, while it waits', () => {
  const shown = readiness();
  assert.equal(shown.status().nextTryMs, null);
  shown.state({ kind: 'backing-off', attempt: 5, next: 'connecting', delayMsMin: 0 });
  shown.waiting(12_000);
  const { nextTryMs } = shown.status();
  assert.ok(nextTryMs !== null && nextTryMs > 10_000 && nextTryMs <= 12_000);
  shown.state({ kind: 'connecting', attempt: 5 });
  assert.equal(shown.status().nextTryMs, null);
});
