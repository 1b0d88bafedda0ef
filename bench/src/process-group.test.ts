import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { test } from 'node:test';
import { ProcessGroup } from './process-group.ts';

const node = (group: ProcessGroup, code: string) => group.start(process.execPath, ['-e', code]);

test('Started.line() skips lines that are not wanted and fails when the process ends', async () => {
  const group = new ProcessGroup();
  const started = node(group, `console.log('noise'); console.log('{"a":1}'); console.error('why')`);
  const pick = (line: string) => (line.startsWith('{') ? line : undefined);
  assert.equal(await started.line(pick, 10_000), '{"a":1}');
  await assert.rejects(started.line(pick, 10_000), /ended \(exit 0\): why/);
  await group.stop();
});

test('Started.line() fails when nothing is said in time', async () => {
  const group = new ProcessGroup();
  const started = node(group, 'setInterval(() => {}, 1000)');
  await assert.rejects(started.json(50), /said nothing for 50 ms/);
  await group.stop();
});

test('ProcessGroup.start() reports a command that does not exist', async () => {
  const group = new ProcessGroup();
  const started = group.start('/nonexistent/command', []);
  await assert.rejects(started.json(10_000), /ENOENT/);
  assert.throws(() => started.pid, /Cannot start '\/nonexistent\/command/);
  await group.stop();
});

test('ProcessGroup.stop() ends processes, child groups and folders, in reverse order, and twice', async () => {
  const group = new ProcessGroup();
  const order: string[] = [];
  group.defer(async () => void order.push('first'));
  const inner = group.child();
  const started = node(inner, 'setInterval(() => {}, 1000)');
  const dir = await inner.tempDir();
  group.defer(async () => {
    order.push('last');
    throw new Error('a failed step stops no other');
  });
  const { pid } = started;
  await group.stop();
  await group.stop();
  assert.deepEqual(order, ['last', 'first']);
  assert.throws(() => process.kill(pid, 0), /ESRCH/);
  await assert.rejects(access(dir));
  assert.throws(() => node(group, ''), /was stopped/);
});
