import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the ports that Linux gives to outgoing connections (32768 and up), above those of usual services. */
const LOWEST = 10_000;
const HIGHEST = 32_000;
const TRIES = 50;

/** First port of a block of `size` ports of 127.0.0.1 that nobody uses at this moment. */
export async function freePortBlock(size: number): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const base = randomInt(LOWEST, HIGHEST - size);
    const free = await Promise.all(Array.from({ length: size }, (_, offset) => isFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
  throw new Error(`Cannot find ${size} free ports in a row between ${LOWEST} and ${HIGHEST}`);
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
