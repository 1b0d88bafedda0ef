import type { ServerHttp2Stream } from 'node:http2';
import { acceptTunnel, refuseTunnel } from '@tunnox/streams/answer-tunnel';
import { join } from '@tunnox/streams/join';
import { TunnelRefused } from './tunnel-refused.ts';
import type { Tunnel } from './upstream.ts';

/** Answers tunnels that others open here (source agents, peer relays): joins each to its upstream, and counts. */
export class ServedTunnels {
  readonly #refused = new Map<string, number>();
  #active = 0;
  #opened = 0;

  /**
   * Answers `stream` with what `open` gives or why it was refused. Never rejects.
   *
   * @param open Its signal aborts when the stream has gone. @throws {TunnelRefused}
   */
  async serve(stream: ServerHttp2Stream, open: (signal: AbortSignal) => Promise<Tunnel>): Promise<void> {
    const aborter = new AbortController();
    const onGone = (): void => aborter.abort(new TunnelRefused('lost', 'Whoever asked for the tunnel has gone'));
    stream.once('close', onGone);
    try {
      const tunnel = await open(aborter.signal);
      stream.off('close', onGone);
      if (!acceptTunnel(stream)) {
        tunnel.stream.destroy();
        return;
      }
      this.#opened += 1;
      this.#active += 1;
      join(stream, tunnel.stream, tunnel.meter, () => {
        this.#active -= 1;
      });
    } catch (error) {
      const refused = error instanceof TunnelRefused ? error : new TunnelRefused('lost', 'The tunnel was not opened');
      this.#refused.set(refused.tunnelCause, (this.#refused.get(refused.tunnelCause) ?? 0) + 1);
      refuseTunnel(stream, refused.tunnelCause, refused.message);
    }
  }

  /** `refused`: by cause. */
  snapshot(): { active: number; opened: number; refused: Record<string, number> } {
    return { active: this.#active, opened: this.#opened, refused: Object.fromEntries(this.#refused) };
  }
}
