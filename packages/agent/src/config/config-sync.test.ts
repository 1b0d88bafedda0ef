import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '@tunnox/api-client/api-error';
import type { AgentConfig } from '@tunnox/domain/agent-config';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { ConfigSync } from './config-sync.ts';

const config = (version: number): AgentConfig => ({ version, bindings: [] });
const away = () => new ApiError({ code: 'unreachable', status: null, detail: 'away' });

function setUp(fetch: (since: number) => Promise<AgentConfig | null>) {
  const clock = new FakeClock();
  const inEffect: number[] = [];
  const reported: number[] = [];
  const sync = new ConfigSync(
    {
      fetch,
      apply: async ({ version }) => {
        inEffect.push(version);
        return [];
      },
      clock,
      random: () => 1,
    },
    ({ version }) => reported.push(version),
  );
  return { clock, sync, inEffect, reported };
}

test('ConfigSync.changed() fetches what is newer, puts it into effect and reports it', async () => {
  const asked: number[] = [];
  const { sync, inEffect, reported } = setUp(async (since) => {
    asked.push(since);
    return config(5);
  });
  await sync.take(config(3));
  sync.changed(5);
  await sync.settled();
  assert.deepEqual(asked, [3]);
  assert.deepEqual(inEffect, [3, 5]);
  assert.deepEqual(reported, [3, 5]);
});

test('ConfigSync.changed() asks nothing about what is in effect', async () => {
  const { sync } = setUp(() => assert.fail('asked'));
  await sync.take(config(3));
  sync.changed(3);
  sync.changed(2);
  await sync.settled();
});

test('ConfigSync.take() leaves a newer configuration in effect, unless the client is another one', async () => {
  const { sync, inEffect } = setUp(async () => null);
  await sync.take(config(3));
  await sync.take(config(2));
  await sync.take(config(3));
  await sync.take(config(1), true);
  assert.deepEqual(inEffect, [3, 1]);
});

test('ConfigSync.refresh() asks once more when it was called while it asked', async () => {
  const answers = [config(1), config(2)];
  const { sync, inEffect } = setUp(async () => answers.shift() ?? null);
  await Promise.all([sync.refresh(), sync.refresh(), sync.refresh()]);
  assert.deepEqual(inEffect, [1, 2]);
});

test('ConfigSync.refresh() tries again, ever less often, while the control plane is away', async () => {
  let calls = 0;
  const { clock, sync, inEffect } = setUp(async () => {
    calls += 1;
    if (calls <= 2) throw away();
    return config(1);
  });
  await sync.refresh();
  clock.advance(999);
  assert.equal(calls, 1);
  clock.advance(1);
  await sync.settled();
  assert.equal(calls, 2);
  clock.advance(2000);
  await sync.settled();
  assert.deepEqual(inEffect, [1]);
  assert.equal(clock.pending, 0);
});

test('ConfigSync.stop() ends the tries', async () => {
  const { clock, sync } = setUp(async () => {
    throw away();
  });
  await sync.refresh();
  sync.stop();
  assert.equal(clock.pending, 0);
});
