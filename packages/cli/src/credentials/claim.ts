import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFolder } from './make-folder.ts';
import { isRunning, processStart } from './process-start.ts';

/** Two processes that claim at one moment both step back, and come again after a random pause. */
const TRIES = 4;
const PAUSE_MS_MAX = 40;

export interface Claim {
  /** Synchronous: for the last moment of a process. Also a claim that was never released ends with its process. */
  release(): void;
}

/**
 * Claims `name` for this process among all that use `dir`.
 *
 * Every claimant makes a file of its own, `<name>.<pid>.<start>`, and then looks: if a living process has another one,
 * it takes its own back. Made before looked, so of two at least one sees the other; files of dead processes are named
 * for them and can be removed by anybody at any time without hitting a living claim.
 *
 * @returns null when another process has it.
 */
export async function claim(dir: string, name: string): Promise<Claim | null> {
  await makeFolder(dir);
  const file = `${name}.${process.pid}.${(await processStart(process.pid)) ?? 'unknown'}`;
  const path = join(dir, file);
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (tries > 0) await delay(randomInt(1, PAUSE_MS_MAX));
    try {
      await writeFile(path, '', { flag: 'wx', mode: 0o600 });
    } catch (error) {
      // This very process has it.
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null;
      throw error;
    }
    if (!(await hasOther(dir, name, file))) return { release: () => rmSync(path, { force: true }) };
    await rm(path, { force: true });
  }
  return null;
}

/** Claims `name`, waiting for others to release it, for `timeoutMs` at the most. */
export async function claimWithin(dir: string, name: string, timeoutMs: number): Promise<Claim | null> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const held = await claim(dir, name);
    if (held !== null || performance.now() > end) return held;
  }
}

async function hasOther(dir: string, name: string, own: string): Promise<boolean> {
  for (const file of await readdir(dir)) {
    if (file === own || !file.startsWith(`${name}.`)) continue;
    const [pid = '', start = ''] = file.slice(name.length + 1).split('.');
    if (!/^\d+$/.test(pid)) continue;
    if (await isRunning(Number(pid), start)) return true;
    await rm(join(dir, file), { force: true });
  }
  return false;
}
