/**
 * Why a tunnel was not opened: the value of the `tunnox-cause` header, with the status that goes with it.
 * `safeToRetry`: nothing has reached the target, another upstream may be tried.
 */
export const CAUSES = {
  refused: { status: 502, safeToRetry: false },
  timeout: { status: 504, safeToRetry: false },
  unreachable: { status: 502, safeToRetry: false },
  dns: { status: 502, safeToRetry: false },
  tls: { status: 502, safeToRetry: false },
  /** The agent's own allow list forbids the target. */
  not_allowed: { status: 403, safeToRetry: false },
  /** Access rules of the mapping deny this visitor. */
  denied: { status: 403, safeToRetry: false },
  /** The mapping is switched off. */
  disabled: { status: 403, safeToRetry: false },
  /** The proof of the mapping secret is wrong, or this client is not the mapping's source. */
  bad_proof: { status: 403, safeToRetry: false },
  /** No such binding at this agent. */
  unknown_binding: { status: 404, safeToRetry: true },
  /** The caller's binding is older than ours. */
  stale_binding: { status: 409, safeToRetry: true },
  /** The client is not attached to this relay. */
  not_here: { status: 421, safeToRetry: true },
  /** Too many connections on the mapping. */
  connection_limit: { status: 429, safeToRetry: false },
  /** The month's traffic is used up. */
  traffic_limit: { status: 429, safeToRetry: false },
  /** Others of the user's mappings have the places of those that may be active at once. */
  active_limit: { status: 429, safeToRetry: false },
  /** A pool or a session is full. */
  busy: { status: 503, safeToRetry: true },
  /** The agent or the peer relay went away. */
  lost: { status: 502, safeToRetry: false },
} as const;

export type Cause = keyof typeof CAUSES;

/** Tells whether `value`, as read from a header, is a cause that this version knows. */
export function isCause(value: unknown): value is Cause {
  return typeof value === 'string' && Object.hasOwn(CAUSES, value);
}
