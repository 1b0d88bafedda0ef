import { readFileSync } from 'node:fs';

/** Memory of a process that is in RAM, in bytes, from /proc. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (line?.[1] === undefined) throw new Error(`Cannot read the memory of process ${pid}`);
  return Number(line[1]) * 1024;
}
