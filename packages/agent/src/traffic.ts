import type { JoinMeter } from '@tunnox/streams/join';

/** What has passed through this agent, both roles together. */
export class Traffic implements JoinMeter {
  /** Visitor → target. */
  bytesIn = 0;
  /** Target → visitor. */
  bytesOut = 0;
  /** Tunnels that are open now. */
  open = 0;
  /** Tunnels that were opened. */
  total = 0;

  begin(): void {
    this.open += 1;
    this.total += 1;
  }

  end(): void {
    this.open -= 1;
  }
}
