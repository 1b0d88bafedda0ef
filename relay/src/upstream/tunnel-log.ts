import type { Duplex } from 'node:stream';
import { TunnelRefused } from './tunnel-refused.ts';
import type { Meter, TunnelRequest } from './upstream.ts';

/** A tunnel as the connection log keeps it: one small object while it is open. */
export interface LoggedTunnel {
  readonly tunnelId: string;
  readonly bindingId: string;
  readonly clientId: number;
  /** null: an anonymous client's. */
  readonly userId: number | null;
  readonly visitor: string;
  readonly startedAtMs: number;
  readonly meter: Meter;
  endedAtMs: number;
  /** Empty while it is open. */
  closeReason: string;
}

/** Who keeps the tunnels that have ended. Never fails, and never waits. */
export interface TunnelLog {
  /** Milliseconds since 1970. */
  now(): number;
  ended(tunnel: LoggedTunnel): void;
}

/** Who visits, without a port: `client:600000001` is the source agent of a private mapping. */
export function visitorOf({ source, visitor }: TunnelRequest): string {
  if (source !== undefined) return `client:${source.clientId}`;
  const address = /^(?:\[([^\]]+)\]|([^:]+)):[0-9]+$/.exec(visitor);
  return (address?.[1] ?? address?.[2] ?? visitor).slice(0, VISITOR_CHARS_MAX);
}

/**
 * Why a tunnel ended: `closed` when one of its ends closed or reset it, the cause when we did, `lost` when the agent
 * went away in the middle.
 *
 * @param stream The agent's side, closed.
 * @param agentGone The agent's session has ended.
 */
export function closeReasonOf(stream: Duplex, agentGone: boolean): string {
  if (stream.errored instanceof TunnelRefused) return stream.errored.tunnelCause;
  return agentGone && !(stream.readableEnded && stream.writableFinished) ? 'lost' : 'closed';
}

const VISITOR_CHARS_MAX = 64;
