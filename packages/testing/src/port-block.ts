import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Below the ports that Linux gives to outgoing connections (32768 and up), above those of usual services. */
const LOWEST = 10_000;
const HIGHEST = 32_000;
/** Blocks begin at multiples of it, so that two of them either are the same or have no port in common. */
const BLOCK_SIZE_MAX = 200;
const TRIES = 100;

/** Where test processes that run at the same time tell one another which blocks they have. */
const CLAIMS = join(tmpdir(), 'tunnox-test-ports');

const claimed = new Set<string>();
process.on('exit', () => {
  for (const file of claimed) rmSync(file, { force: true });
});

/** First port of a block of `size` ports of 127.0.0.1 that nobody uses, kept for this process until it ends. */
export async function freePortBlock(size: number): Promise<number> {
  if (size > BLOCK_SIZE_MAX) throw new Error(`Cannot find ${size} ports: a block has ${BLOCK_SIZE_MAX} at the most`);
  for (let tries = 0; tries < TRIES; tries++) {
    const base = LOWEST + BLOCK_SIZE_MAX * randomInt((HIGHEST - LOWEST) / BLOCK_SIZE_MAX);
    if (!claim(base)) continue;
    const free = await Promise.all(Array.from({ length: size }, (_, offset) => isFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
  throw new Error(`Cannot find ${size} free ports in a row between ${LOWEST} and ${HIGHEST}`);
}

/** Nobody else gets the block until this process has ended. @returns false: somebody has it. */
function claim(base: number): boolean {
  mkdirSync(CLAIMS, { recursive: true });
  const file = join(CLAIMS, String(base));
  if (claimed.has(file)) return false;
  for (const again of [true, false]) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      claimed.add(file);
      return true;
    } catch {
      if (!again || isHeld(file)) return false;
      rmSync(file, { force: true });
    }
  }
  return false;
}

/** Whether the process that has written the file lives. */
function isHeld(file: string): boolean {
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 0);
    return true;
  } catch {
    return false;
  }
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
