import { join } from '@tunnox/streams/join';
import type { Switching } from './answer-relay.ts';
import type { ProxyMetrics } from './proxy-metrics.ts';
import type { TargetConnection } from './target-connection.ts';
import type { VisitorConnection } from './visitor-connection.ts';

/** Passes 101 on and joins visitor and target: from here on the bytes are theirs. */
export function upgrade(
  metrics: ProxyMetrics,
  connection: VisitorConnection,
  target: TargetConnection,
  { head, lines, rest }: Switching,
): void {
  metrics.upgradesTotal++;
  metrics.upgradesActive++;
  metrics.countAnswer(head.status);
  const { socket, halfClosed } = connection;
  connection.write(`${lines}Upgrade: ${head.upgrade ?? ''}\r\nConnection: Upgrade\r\n\r\n`);
  const early = connection.detach();
  const { stream, meter } = target.detach();
  if (rest.length > 0) socket.write(rest);
  if (early.length > 0) {
    meter.bytesIn += early.length;
    stream.write(early);
  }
  join(socket, stream, meter, () => metrics.upgradesActive--);
  if (halfClosed) stream.end();
  socket.resume();
  stream.resume();
}
