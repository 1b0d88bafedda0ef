import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, test } from 'node:test';
import { waitFor } from '@tunnox/testing/wait-for';
import { Child } from './child.ts';
import { LogFile } from './log-file.ts';
import { describeProcess } from './process-table.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunnox-child-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function startScript(code: string, onLine?: (line: string) => void): Promise<Child> {
  const script = join(dir, 'script.js');
  await writeFile(script, code);
  const log = new LogFile(join(dir, 'child.log'));
  return await Child.start({ name: 'The part', args: [script], env: process.env, log, ...(onLine && { onLine }) });
}

test('Child passes lines on, writes them to its log, and ends on SIGTERM', async () => {
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const child = await startScript(
    "console.log('up'); setInterval(() => {}, 1000);",
    (line) => line === 'up' && resolve(),
  );
  await child.waitUntil(ready, 10_000);
  assert.equal(child.running, true);
  await child.stop(5000);
  assert.equal(child.running, false);
  await child.stop(5000);
  assert.equal(await readFile(join(dir, 'child.log'), 'utf8'), 'up\n');
});

test('Child.waitUntil() fails with the last lines when the process ends first', async () => {
  const child = await startScript("console.error('no port'); process.exitCode = 1;");
  await assert.rejects(child.waitUntil(new Promise(() => {}), 10_000), {
    name: 'StackError',
    message: /^The part ended while it was starting\.[^]*child\.log\):\nno port$/,
  });
});

test('Child.waitUntil() fails when the process is not ready in time', async () => {
  const child = await startScript('setInterval(() => {}, 1000);');
  await assert.rejects(child.waitUntil(new Promise(() => {}), 10), /is not ready after 0\.01 s/);
  await child.stop(5000);
});

test('Child.stop() kills a process that does not end by itself', async () => {
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const code = "process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000);";
  const child = await startScript(code, () => resolve());
  await ready;
  await child.stop(50);
  assert.equal(child.running, false);
});

test('Child ends when the process that started it is killed', async () => {
  const script = join(dir, 'sleeper.js');
  await writeFile(script, 'setInterval(() => {}, 1000);');
  const starter = join(dir, 'starter.ts');
  await writeFile(
    starter,
    `import { Child } from ${JSON.stringify(new URL('child.ts', import.meta.url).href)};
import { LogFile } from ${JSON.stringify(new URL('log-file.ts', import.meta.url).href)};
const log = new LogFile(${JSON.stringify(join(dir, 'log'))});
const child = await Child.start({ name: 'x', args: [${JSON.stringify(script)}], env: process.env, log });
console.log(child.pid);
setInterval(() => {}, 1000);`,
  );
  const parent = spawn(process.execPath, [starter], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  parent.kill('SIGKILL');
  await waitFor(async () => (await describeProcess(Number(line))) === null, 10_000);
});
