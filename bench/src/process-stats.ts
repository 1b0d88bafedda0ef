import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export interface ProcessStats {
  /** User and system time since the start of the process. */
  cpuSeconds: number;
  rssBytes: number;
}

/** Clock ticks a second in /proc, the same on every Linux that Node runs on. */
const USER_HZ = 100;

/** Sum over `pids`: from /proc on Linux, from `ps` elsewhere. A process that has ended counts nothing. */
export async function processStats(pids: readonly number[]): Promise<ProcessStats> {
  const all = await Promise.all(pids.map(process.platform === 'linux' ? readProc : readPs));
  return all.reduce(
    (sum, one) => ({
      cpuSeconds: sum.cpuSeconds + one.cpuSeconds,
      rssBytes: sum.rssBytes + one.rssBytes,
    }),
    NOTHING,
  );
}

const NOTHING: ProcessStats = { cpuSeconds: 0, rssBytes: 0 };

async function readProc(pid: number): Promise<ProcessStats> {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
    ]);
    return { cpuSeconds: parseStat(stat), rssBytes: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024 };
  } catch {
    return NOTHING;
  }
}

/** utime + stime of a `/proc/<pid>/stat` line in seconds. The name in brackets may hold blanks and brackets. */
export function parseStat(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / USER_HZ;
}

async function readPs(pid: number): Promise<ProcessStats> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=,time=', '-p', String(pid)]);
    const [rss, time] = stdout.trim().split(/\s+/);
    return { cpuSeconds: parsePsTime(time ?? ''), rssBytes: Number(rss) * 1024 };
  } catch {
    return NOTHING;
  }
}

/** `[[dd-]hh:]mm:ss[.cc]`, as `ps` prints processor time, in seconds. */
export function parsePsTime(text: string): number {
  const [days, clock] = text.includes('-') ? text.split('-', 2) : ['0', text];
  const seconds = (clock ?? '').split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Number(days) * 86_400 + seconds;
}
