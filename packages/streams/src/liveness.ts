import type { Http2Session } from 'node:http2';
import type { TimerWheel } from './timer-wheel.ts';

/** Interval of HTTP/2 PINGs on agent sessions, both ways. */
export const AGENT_PING_MS = 15_000;

/** Interval of HTTP/2 PINGs on bridge sessions. */
export const BRIDGE_PING_MS = 30_000;

/** PINGs in a row without an answer after which a session is dead. */
export const PINGS_MISSED_MAX = 2;

/**
 * Watches a session by HTTP/2 PING, once a round of the wheel, and destroys it when two rounds have passed in which
 * neither an answer nor any other byte came. (An answer may be stuck behind minutes of bulk data on a slow line: bytes
 * that arrive prove as much.)
 *
 * @param socket What the session runs on; its `bytesRead` is looked at when it has one.
 * @returns Stops the watch; it also stops by itself when the session closes.
 */
export function watchLiveness(session: Http2Session, socket: { bytesRead?: number }, wheel: TimerWheel): () => void {
  let missed = 0;
  let bytesSeen = socket.bytesRead ?? 0;
  const check = () => {
    if (session.destroyed) {
      stop();
      return;
    }
    const bytes = socket.bytesRead ?? 0;
    if (bytes !== bytesSeen) missed = 0;
    bytesSeen = bytes;
    if (missed >= PINGS_MISSED_MAX) {
      stop();
      session.destroy(new Error('The peer does not answer'));
      return;
    }
    missed += 1;
    session.ping((error) => {
      if (error === null) missed = 0;
    });
  };
  const stop = wheel.add(check);
  session.once('close', stop);
  return stop;
}
