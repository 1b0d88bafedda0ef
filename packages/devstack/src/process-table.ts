import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** One running process, told from every other that had or will have its pid. */
export interface ProcessIdentity {
  pid: number;
  /** Opaque; differs between two processes of one pid. */
  startedAt: string;
}

export interface ProcessDescription extends ProcessIdentity {
  /** Program and arguments, parted by spaces. */
  command: string;
}

/** Describes a process that runs now; null when there is none of that pid. A zombie counts as gone. */
export async function describeProcess(pid: number): Promise<ProcessDescription | null> {
  return process.platform === 'linux' ? await describeFromProc(pid) : await describeFromPs(pid);
}

/** Whether exactly this process still runs: not another one with its pid. */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  return (await describeProcess(identity.pid))?.startedAt === identity.startedAt;
}

/**
 * Asks a process to end by `signal`, kills it when it has not ended after `graceMs`. Never touches another process that
 * has got its pid meanwhile.
 */
export async function endProcess(identity: ProcessIdentity, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  for (const [step, waitMs] of [
    [signal, graceMs],
    ['SIGKILL', 5000],
  ] as const) {
    if (!(await isRunning(identity))) return;
    try {
      process.kill(identity.pid, step);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    // There is no event for the end of a process that is not a child.
    for (const end = performance.now() + waitMs; performance.now() < end; await delay(20)) {
      if (!(await isRunning(identity))) return;
    }
  }
  throw new Error(`Cannot end process ${identity.pid}: it is still there after SIGKILL`);
}

async function describeFromProc(pid: number): Promise<ProcessDescription | null> {
  try {
    const [stat, commandLine] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ]);
    // The second field, the name in parentheses, may hold spaces and parentheses (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state] = fields;
    const startTicks = fields[19];
    if (startTicks === undefined || state === 'Z' || state === 'X') return null;
    const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
    return {
      pid,
      startedAt: `${bootId.trim()}/${startTicks}`,
      command: commandLine.replaceAll('\0', ' ').trim(),
    };
  } catch {
    return null;
  }
}

async function describeFromPs(pid: number): Promise<ProcessDescription | null> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-o', 'command=', '-p', String(pid)], {
      env: { ...process.env, LC_ALL: 'C' },
      timeout: 5000,
    });
    // `Fri Nov 20 10:56:44 2026` is 24 characters.
    const line = stdout.trim();
    return line === '' ? null : { pid, startedAt: line.slice(0, 24), command: line.slice(24).trim() };
  } catch {
    return null;
  }
}
