import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from './metrics.ts';

test('Metrics reads values at the scrape and forgets labels that are gone', async () => {
  const metrics = new Metrics({ prefix: 'tunnox_', processMetrics: false });
  let peers = ['a', 'b'];
  let total = 1;
  metrics.gauge('pool_connections', 'Connections by peer.', ['peer'], () =>
    peers.map((peer) => ({ labels: { peer }, value: 2 })),
  );
  metrics.counter('bytes_total', 'Bytes.', [], () => [{ value: total }]);
  assert.match(await metrics.text(), /tunnox_pool_connections\{peer="a"\} 2\n.*peer="b"\} 2\n/s);
  peers = ['b'];
  total = 5;
  const text = await metrics.text();
  assert.doesNotMatch(text, /peer="a"/);
  assert.match(text, /# TYPE tunnox_bytes_total counter\ntunnox_bytes_total 5\n/);
});

test('Metrics adds the process with its event loop lag when asked', async () => {
  const text = await new Metrics({ prefix: 'tunnox_', processMetrics: true }).text();
  assert.match(text, /tunnox_nodejs_eventloop_lag_p99_seconds/);
  assert.match(text, /tunnox_process_resident_memory_bytes/);
});
