import { StreamRefused } from '@tunnox/streams/stream-refused';
import { TunnelRefused } from './tunnel-refused.ts';

/** What a failed open means to the proxy. Aborts stay what they are: the caller knows its own signal. */
export function asTunnelRefused(error: unknown): unknown {
  return error instanceof StreamRefused ? new TunnelRefused(error.tunnelCause, error.message, { cause: error }) : error;
}
