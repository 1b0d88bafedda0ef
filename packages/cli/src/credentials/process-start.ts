import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/**
 * A mark of when process `pid` began, without spaces: with the pid it names one process, also after the pid is used
 * again. Null when there is no such process, or the system does not say.
 */
export async function processStart(pid: number): Promise<string | null> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => null);
    // The name, in parentheses, may hold anything; start time in clock ticks is field 22, the 20th after it.
    return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  }
  if (process.platform === 'win32') return null;
  return new Promise((resolve) => {
    execFile('ps', ['-o', 'lstart=', '-p', String(pid)], { timeout: 2000 }, (error, stdout) => {
      resolve(error === null ? stdout.trim().replace(/\W+/g, '') : null);
    });
  });
}

/** Tells whether the process that had `start` as its mark still runs. */
export async function isRunning(pid: number, start: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = await processStart(pid);
  return now === null || start === 'unknown' || now === start;
}
