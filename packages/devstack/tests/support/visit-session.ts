import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { makeProof } from '@tunnox/agent/proof';
import type { AgentSession } from '@tunnox/domain/agent-api';
import type { AgentMessage, RelayMessage } from '@tunnox/protocol/control-message';
import { parseRelayMessage } from '@tunnox/protocol/parse-control';
import { ALPN_VISIT, HEADER } from '@tunnox/protocol/names';
import { PROTOCOL_VERSION } from '@tunnox/protocol/version';
import { connectSession } from '@tunnox/streams/connect-session';
import { ControlChannel } from '@tunnox/streams/control-channel';
import { dial } from '@tunnox/streams/dial';
import { parseHostPort } from '@tunnox/streams/host-port';
import { openControlStream } from '@tunnox/streams/open-control-stream';
import { openTunnelStream } from '@tunnox/streams/open-tunnel-stream';
import { makeUlid } from '@tunnox/domain/ulid';

const TIMEOUT_MS = 15_000;

/** What a visiting agent could do to a relay, also what ours never would. */
export interface VisitSession {
  /** Opens a tunnel of a private mapping, sends `message`, ends, and gives the answer. */
  echo: (
    bindingId: string,
    proof: { secret: string; sourceClientId: number; tunnelId?: string },
    message: string,
  ) => Promise<string>;
  close: () => void;
}

/** Connects to the relay as the client of `session`, as the source agent of private mappings does. */
export async function openVisitSession(session: AgentSession, nodeId: string): Promise<VisitSession> {
  const relay = session.relays.find(({ node_id }) => node_id === nodeId);
  if (relay === undefined) throw new Error(`The session names no relay ${nodeId}`);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const socket = await dial(parseHostPort(relay.agent_tcp), {
    timeoutMs: TIMEOUT_MS,
    tls: { fingerprint: relay.fingerprint, alpn: ALPN_VISIT },
  });
  const http2 = connectSession(socket);
  const control = await openControlStream(http2, signal);
  await new Promise<void>((resolve, reject) => {
    const channel = new ControlChannel<AgentMessage, RelayMessage>(control, {
      parse: parseRelayMessage,
      onMessage: (message) => {
        if (message.type === 'welcome') resolve();
        if (message.type === 'refused') reject(new Error(message.message));
      },
      onClose: () => reject(new Error('The relay closed the control stream')),
    });
    channel.send({
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      agent_version: 'test',
      ticket: session.ticket,
      instance_id: makeUlid(Date.now(), randomBytes(16)),
      connect_seq: 1,
      os: 'test',
    });
  });
  return {
    echo: async (bindingId, { secret, sourceClientId, tunnelId = makeUlid(Date.now(), randomBytes(16)) }, message) => {
      const proof = makeProof(secret, bindingId, String(sourceClientId), tunnelId);
      const headers = { [HEADER.tunnel]: tunnelId, [HEADER.proof]: proof };
      const stream = await openTunnelStream(http2, bindingId, headers, AbortSignal.timeout(TIMEOUT_MS));
      stream.end(message);
      return text(stream);
    },
    close: () => http2.destroy(),
  };
}
