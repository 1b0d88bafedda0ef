import type { Duplex } from 'node:stream';
import { ALPN_SERVE, ALPN_VISIT, SERVE_PREAMBLE, WS_PATH_SERVE, WS_PATH_VISIT } from '@tunnox/protocol/names';
import { connectWebSocket } from '@tunnox/streams/connect-websocket';
import { dial } from '@tunnox/streams/dial';
import { parseHostPort } from '@tunnox/streams/host-port';
import type { Candidate, Transport } from './candidates.ts';

/** TCP and TLS of one try; the other relays are tried meanwhile. */
const DIAL_TIMEOUT_MS = 10_000;
const UPGRADE_TIMEOUT_MS = 10_000;

/** What a connection is for: tunnels towards this agent, or from it to others. */
export type LinkKind = 'serve' | 'visit';

/**
 * Connects to a relay up to where HTTP/2 begins. The relay is known by its key, whose fingerprint came over HTTPS from
 * the control plane.
 *
 * @param plaintext Without TLS: for relays that run so (`--insecure`).
 */
export async function dialRelay(
  candidate: Candidate,
  kind: LinkKind,
  plaintext: boolean,
  signal: AbortSignal,
): Promise<Duplex & { bytesRead?: number }> {
  const { relay, transport } = candidate;
  const address = transport === 'tls' ? relay.agent_tcp : relay.agent_ws;
  const tls = { fingerprint: relay.fingerprint, alpn: alpnOf(kind, transport) };
  const socket = await dial(parseHostPort(address), {
    timeoutMs: DIAL_TIMEOUT_MS,
    signal,
    ...(plaintext ? {} : { tls }),
  });
  if (transport === 'ws') {
    const path = kind === 'serve' ? WS_PATH_SERVE : WS_PATH_VISIT;
    return connectWebSocket(socket, { path, host: address, timeoutMs: UPGRADE_TIMEOUT_MS, signal });
  }
  if (plaintext && kind === 'serve') socket.write(SERVE_PREAMBLE);
  return socket;
}

function alpnOf(kind: LinkKind, transport: Transport): string {
  if (transport === 'ws') return 'http/1.1';
  return kind === 'serve' ? ALPN_SERVE : ALPN_VISIT;
}
