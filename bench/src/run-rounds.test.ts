import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Measure } from './measures/measure.ts';
import { ProcessGroup } from './process-group.ts';
import { runRounds } from './run-rounds.ts';
import type { Subject } from './subject.ts';

const subject = (name: string): Subject => ({
  name,
  layer: 'tcp',
  http: { host: '127.0.0.1', port: 1 },
  processes: { relay: [process.pid] },
});

function fakeMeasure(run: (name: string, first: boolean) => number): Measure {
  return {
    name: 'bulk',
    title: 'Bulk',
    metrics: [{ key: 'rate', unit: 'GB/s', better: 'more' }],
    cpuPer: 'GB',
    cases: () => [
      {
        name: 'all',
        accepts: ({ name }) => name !== 'unfit',
        run: async (context) => ({ figures: { rate: run(context.subject.name, context.first) }, work: 1 }),
      },
    ],
  };
}

test('runRounds() lets subjects take turns and begins each round with another one', async () => {
  const order: string[] = [];
  const measure = fakeMeasure((name, first) => {
    order.push(`${name}${first ? '!' : ''}`);
    return 1;
  });
  const subjects = [subject('a'), subject('unfit'), subject('b')];
  await runRounds(measure, subjects, 2, new ProcessGroup(), () => {});
  assert.deepEqual(order, ['a!', 'b!', 'b', 'a']);
});

test('runRounds() keeps the rounds of others when one subject fails, and adds processor time', async () => {
  const measure = fakeMeasure((name) => {
    if (name === 'b') throw new Error('broken');
    return 2;
  });
  const [a, b] = await runRounds(measure, [subject('a'), subject('b')], 1, new ProcessGroup(), () => {});
  assert.equal(a?.rounds[0]?.['rate'], 2);
  assert.ok((a?.rounds[0]?.['cpu relay'] ?? -1) >= 0);
  assert.deepEqual(b?.rounds, [null]);
  assert.deepEqual(b?.failures, ['broken']);
});
