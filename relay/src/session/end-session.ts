import type { Http2Session } from 'node:http2';
import type { Clock } from '../clock.ts';
import type { RelayChannel } from './listen-to-agent.ts';

/**
 * Ends an agent's session so that what was said on the control stream still arrives.
 *
 * @param lingerMs Time for running tunnels to finish; 0: they are cut as soon as the last word is out.
 */
export function endSession(session: Http2Session, channel: RelayChannel, clock: Clock, lingerMs: number): void {
  if (session.destroyed) return;
  // GOAWAY: no new streams. It also makes destroy() end the socket in order instead of cutting it off.
  session.close();
  // A peer that does not read must not keep the session.
  const timer = clock.timer(lingerMs === 0 ? LAST_WORD_MS : lingerMs, () => session.destroy());
  session.once('close', () => timer.cancel());
  channel.close(() => {
    if (lingerMs === 0) session.destroy();
  });
}

/** Time for a last message to get out. */
const LAST_WORD_MS = 1000;
