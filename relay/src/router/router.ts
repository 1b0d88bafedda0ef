import type { Binding } from '@tunnox/domain/binding';
import type { Upstream } from '../upstream/upstream.ts';

/** What becomes of a request for an endpoint. */
export type Decision =
  /** Open a tunnel through the first upstream; the others are for fail-over, best first. */
  | { kind: 'open'; binding: Binding; upstreams: [Upstream, ...Upstream[]] }
  /** The name exists, no agent of it is attached. */
  | { kind: 'offline'; binding: Binding }
  /** The owner says that there is no such endpoint. */
  | { kind: 'unknown' }
  /** Nobody can be asked (Redis and the control plane are away) and nothing is cached. */
  | { kind: 'unavailable' };

export interface Router {
  /**
   * Decides about an endpoint (`foo.example.com`, `tcp:{group}:{port}`). Answers without a promise when the cache
   * knows: the hot path must not wait a turn.
   */
  decide(endpoint: string): Decision | Promise<Decision>;
  /**
   * Reports that an upstream answered `not_here` or `stale_binding`: drops what was cached about it. The caller
   * decides again, once.
   */
  forget(endpoint: string, upstream: Upstream): void;
}
