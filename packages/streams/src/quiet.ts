import type { EventEmitter } from 'node:events';

/**
 * Gives an emitter an `error` listener, without which Node ends the process. What the error means is told by `close`,
 * which always follows.
 */
export function quiet(emitter: EventEmitter): void {
  emitter.on('error', ignore);
}

function ignore(): void {}
