import { SERVE_PREAMBLE } from '@tunnox/protocol/names';

/** What an agent's connection begins with. */
export type AgentFirstBytes = 'tls' | 'serve' | 'visit' | 'garbage';

/** Tells by its first bytes what a connection at the agents' TCP port is; null: too few bytes to know. */
export function classifyAgent(bytes: Buffer): { verdict: AgentFirstBytes; used: number } | null {
  if (bytes.length === 0) return null;
  if (bytes[0] === TLS_HANDSHAKE) return { verdict: 'tls', used: 0 };
  for (const { prefix, verdict, used } of PLAIN) {
    const length = Math.min(bytes.length, prefix.length);
    if (bytes.compare(prefix, 0, length, 0, length) !== 0) continue;
    return length === prefix.length ? { verdict, used } : null;
  }
  return { verdict: 'garbage', used: 0 };
}

/** Content type of the TLS record in which a ClientHello comes (RFC 8446, section 5.1). */
export const TLS_HANDSHAKE = 0x16;

const PLAIN = [
  { prefix: Buffer.from(SERVE_PREAMBLE), verdict: 'serve', used: SERVE_PREAMBLE.length },
  { prefix: Buffer.from('PRI * HTTP/2.0\r\n'), verdict: 'visit', used: 0 },
] as const;
