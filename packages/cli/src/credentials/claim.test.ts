import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { claim } from './claim.ts';

const CLAIMER = `
  const { claim } = await import(${JSON.stringify(new URL('./claim.ts', import.meta.url).href)});
  process.stdin.once('data', async () => {
    const held = await claim(process.argv[1], 'x');
    console.log(held === null ? 'none' : 'held');
    process.stdin.once('data', () => process.exit());
  });
  console.log('up');
`;

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tunnox-claim-'));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

interface Claimer {
  child: ChildProcessWithoutNullStreams;
  line(): Promise<string>;
}

async function claimer(t: TestContext, dir: string): Promise<Claimer> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', CLAIMER, dir]);
  t.after(() => void child.kill('SIGKILL'));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async (): Promise<string> => String((await lines.next()).value);
  assert.equal(await line(), 'up');
  return { child, line };
}

test('claim() gives a name to one holder until it is released', async (t) => {
  const dir = await folder(t);
  const first = await claim(dir, 'x');
  assert.ok(first !== null);
  assert.equal(await claim(dir, 'x'), null);
  const other = await claim(dir, 'x-2');
  assert.ok(other !== null);
  first.release();
  const second = await claim(dir, 'x');
  assert.ok(second !== null);
  second.release();
  other.release();
  assert.deepEqual(await readdir(dir), []);
});

test('claim() gives a name to one of several processes at the most, and again after a kill -9', async (t) => {
  const dir = await folder(t);
  const claimers = await Promise.all([claimer(t, dir), claimer(t, dir), claimer(t, dir)]);
  for (const { child } of claimers) child.stdin.write('\n');
  const outcomes = await Promise.all(claimers.map(({ line }) => line()));
  const holders = claimers.filter((_, index) => outcomes[index] === 'held');
  assert.ok(holders.length <= 1, outcomes.join());
  for (const { child } of claimers) {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }
  const held = await claim(dir, 'x');
  assert.ok(held !== null);
  held.release();
});

test('claim() takes no notice of dead processes, also when their id is in use again', async (t) => {
  const dir = await folder(t);
  const { pid: deadPid } = spawnSync(process.execPath, ['-e', '']);
  await writeFile(join(dir, `x.${deadPid}.1`), '');
  if (process.platform === 'linux') await writeFile(join(dir, `x.${process.ppid}.1`), '');
  const held = await claim(dir, 'x');
  assert.ok(held !== null);
  assert.equal((await readdir(dir)).length, 1);
  held.release();
});

test(
  'claim() takes no notice of a process that nobody has buried',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const dir = await folder(t);
    // The shell becomes a program that never waits for the child which it has started.
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    t.after(() => void parent.kill('SIGKILL'));
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const zombie = Number(String(line));
    let stat = '';
    while (!stat.includes(') Z ')) stat = await readFile(`/proc/${zombie}/stat`, 'latin1');
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    await writeFile(join(dir, `x.${zombie}.${start}`), '');
    const held = await claim(dir, 'x');
    assert.ok(held !== null);
    held.release();
  },
);
