/** ALPN of a connection on which the agent serves: the relay is the HTTP/2 client (reversed roles). */
export const ALPN_SERVE = 'tunnox-serve';

/** ALPN of a connection on which the agent visits: plain HTTP/2, the agent is the client. */
export const ALPN_VISIT = 'h2';

/**
 * First line of a serving agent on a connection without TLS. A visiting agent sends no such line: its first bytes
 * are the HTTP/2 preface, `PRI * HTTP/2.0`.
 */
export const SERVE_PREAMBLE = 'TUNNOX-SERVE/1\r\n';

/** WebSocket paths at a relay's agent port: serving (reversed) and visiting agents. */
export const WS_PATH_SERVE = '/serve';
export const WS_PATH_VISIT = '/visit';

/** `:protocol` of the control stream (extended CONNECT, RFC 8441). */
export const CONTROL_PROTOCOL = 'tunnox-control';

/** Header names on tunnel streams (agent↔relay and relay↔relay). The binding id stands in `:authority`. */
export const HEADER = {
  /** Tunnel id: 26 characters, a ULID made by the first relay (or by the source agent). */
  tunnel: 'tunnox-tunnel',
  /** Address of the visitor as `ip:port`, `[ipv6]:port`. */
  visitor: 'tunnox-visitor',
  /** Why a tunnel was not opened: one of `CAUSES`. */
  cause: 'tunnox-cause',
  /** A sentence for a person beside the cause. */
  message: 'tunnox-message',
  /** SOCKS5 target as `host:port`. */
  target: 'tunnox-target',
  /** Client id of the source agent of a private mapping. */
  source: 'tunnox-source',
  /** Proof of the mapping secret, see `proof` in docs/PROTOCOL.md. */
  proof: 'tunnox-proof',
  /** Bridge only: endpoint that the visitor asked for (absent on a private mapping). */
  endpoint: 'tunnox-endpoint',
  /** Bridge only: client that shall serve. */
  client: 'tunnox-client',
  /** Bridge only: version of the binding by which the visitor's relay decided. */
  bindingVersion: 'tunnox-binding-version',
} as const;
