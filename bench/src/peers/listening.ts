import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Started } from '../process-group.ts';

const POLL_MS = 20;

/**
 * Waits until something accepts connections at `port`.
 *
 * @throws {Error} when `owner` ends first or the time is over
 */
export async function listening(port: number, owner: Started, timeoutMs = 10_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (performance.now() < deadlineMs) {
    if (owner.ended !== null) throw new Error(`ended (${owner.ended}): ${owner.stderr || 'no message'}`);
    if (await accepts(port)) return;
    await delay(POLL_MS);
  }
  throw new Error(`did not listen at port ${port} within ${timeoutMs} ms: ${owner.stderr || 'no message'}`);
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
