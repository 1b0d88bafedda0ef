import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '@tunnox/api-client/api-error';
import type { AgentBinding, AgentConfig, AgentConfigAnswer } from '@tunnox/domain/agent-config';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { ConfigSync } from './config-sync.ts';

const config = (version: number): AgentConfig => ({ version, bindings: [] });
const away = () => new ApiError({ code: 'unreachable', status: null, detail: 'away' });

function setUp(fetch: (since: number) => Promise<AgentConfigAnswer | null>) {
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

const binding = (id: number, port = 80): AgentBinding => ({
  role: 'target',
  binding_id: `mapping:${id}`,
  protocol: 'tcp',
  enabled: true,
  url: null,
  target_scheme: 'tcp',
  target_host: '127.0.0.1',
  target_port: port,
  secret: null,
});

test('ConfigSync.take() applies changes to what is in effect', async () => {
  const inEffect: AgentConfig[] = [];
  const sync = new ConfigSync(
    {
      fetch: () => assert.fail('asked'),
      apply: async (whole) => {
        inEffect.push(whole);
        return [];
      },
      clock: new FakeClock(),
      random: () => 1,
    },
    () => {},
  );
  await sync.take({ version: 1, bindings: [binding(1), binding(2), binding(3)] });
  await sync.take({
    version: 4,
    since: 1,
    bindings: [binding(2, 81), binding(4)],
    removed: ['mapping:1', 'mapping:9'],
  });
  assert.deepEqual(inEffect[1], { version: 4, bindings: [binding(2, 81), binding(3), binding(4)] });
  // It was asked for before what is in effect had come.
  await sync.take({ version: 5, since: 2, bindings: [binding(4, 82)], removed: [] });
  assert.deepEqual(inEffect[2]?.bindings, [binding(2, 81), binding(3), binding(4, 82)]);
  await sync.take({ version: 5, since: 5, bindings: [], removed: [] });
  assert.equal(inEffect.length, 3);
});

test('ConfigSync.take() asks for the whole when changes are not those of what it has', async () => {
  const asked: number[] = [];
  const { sync, inEffect } = setUp(async (since) => {
    asked.push(since);
    return { version: 9, bindings: [] };
  });
  await sync.take(config(3));
  await sync.take({ version: 8, since: 7, bindings: [], removed: [] });
  await sync.settled();
  assert.deepEqual(asked, [-1]);
  assert.deepEqual(inEffect, [3, 9]);
  await sync.take({ version: 2, since: 1, bindings: [], removed: [] }, true);
  await sync.settled();
  assert.deepEqual(asked, [-1, -1]);
});
