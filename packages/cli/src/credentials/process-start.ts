import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/**
 * A mark of when process `pid` began, without spaces: with the pid it names one process, also after the pid is used
 * again. Null when there is no such process (a zombie is none any more), or the system does not say.
 */
export async function processStart(pid: number): Promise<string | null> {
  const found = await look(pid);
  return found === 'dead' ? null : found;
}

/** Tells whether the process that had `start` as its mark still runs. */
export async function isRunning(pid: number, start: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = await look(pid);
  return now !== 'dead' && (now === null || start === 'unknown' || now === start);
}

async function look(pid: number): Promise<string | null> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => null);
    if (stat === null) return null;
    // The name, in parentheses, may hold anything. After it: the state, and 19 fields on the start in clock ticks.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : (fields[19] ?? null);
  }
  if (process.platform === 'win32') return null;
  return new Promise((resolve) => {
    execFile('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { timeout: 2000 }, (error, stdout) => {
      const [state = '', ...start] = stdout.trim().split(/\s+/);
      if (error !== null || state === '') resolve(null);
      else resolve(state.startsWith('Z') ? 'dead' : start.join('').replace(/\W+/g, ''));
    });
  });
}
