import { execFile } from 'node:child_process';
import { cpus, freemem, loadavg, release, totalmem, type } from 'node:os';
import { promisify } from 'node:util';

const GIB = 2 ** 30;

export interface Machine {
  cpu: string;
  cores: number;
  memoryGib: number;
  freeMemoryGib: number;
  kernel: string;
  node: string;
  /** One-minute load before the run: a busy machine shows here. */
  load: number;
}

/** What a reader must know to judge the figures. */
export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() || 'unknown processor',
    cores: all.length,
    memoryGib: Math.round((totalmem() / GIB) * 10) / 10,
    freeMemoryGib: Math.round((freemem() / GIB) * 10) / 10,
    kernel: `${type()} ${release()}`,
    node: process.version,
    load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

/**
 * First line that `command args` prints (version options print to either stream, some with an exit code); null when
 * there is no such command.
 */
export async function versionOf(command: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, [...args], { timeout: 5_000 });
    return firstLine(stdout || stderr);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return firstLine(stdout || stderr);
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
