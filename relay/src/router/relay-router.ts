import { hasEnded } from '@tunnox/domain/binding';
import type { LookupAnswer } from '@tunnox/domain/lookup';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { Upstream } from '../upstream/upstream.ts';
import { type CachedRoute, RouteCache, type RouteCacheDeps } from './route-cache.ts';
import { RouteLookup, type RouteLookupDeps } from './route-lookup.ts';
import type { Decision, Router } from './router.ts';

/** While nobody can be asked, each name tries again this often. */
const RETRY_MS = 1000;

const UNKNOWN: Decision = { kind: 'unknown' };
const UNAVAILABLE: Decision = { kind: 'unavailable' };

/**
 * Decides by three tiers: this process's cache, the projection (Redis), the owner (control plane). Only the owner's
 * "no" evicts a route; while nobody answers, the cache serves on, whatever its age.
 */
export class RelayRouter implements Router {
  /** Totals since the start; `stale`: decisions by what is past its time, because nobody could be asked. */
  readonly counters = { hits: 0, misses: 0, unknownHits: 0, stale: 0 };
  readonly cache: RouteCache;
  readonly lookup: RouteLookup;
  readonly #deps: RouteCacheDeps & RouteLookupDeps;
  /** Endpoints that the policies of clients attached here name. */
  readonly #pushed = new Map<number, Set<string>>();

  constructor(deps: RouteCacheDeps & RouteLookupDeps) {
    this.#deps = deps;
    this.cache = new RouteCache(deps);
    this.lookup = new RouteLookup(deps);
  }

  decide(endpoint: string): Decision | Promise<Decision> {
    const route = this.cache.route(endpoint);
    if (route !== undefined && hasEnded(route.binding, this.#deps.clock.now())) {
      // Its time is over, and nobody has to say so; the name may be somebody else's already.
      this.cache.drop(endpoint);
    } else if (route !== undefined) {
      const decision = this.#fromCache(endpoint, route);
      if (decision !== null) return decision;
    } else if (this.cache.isUnknown(endpoint)) {
      this.counters.unknownHits++;
      return UNKNOWN;
    }
    this.counters.misses++;
    return this.#lookUp(endpoint);
  }

  forget(endpoint: string, upstream: Upstream): void {
    this.cache.dropPlace(endpoint, upstream);
    this.cache.expire(endpoint);
  }

  /** A policy was pushed for a client attached here: its bindings are the newest there are. */
  applyPolicy(policy: ClientPolicy): void {
    const gone = this.#pushed.get(policy.client_id) ?? new Set();
    const endpoints = new Set<string>();
    for (const binding of policy.bindings) {
      if (!binding.upstreams.some(({ client_id }) => client_id === policy.client_id)) continue;
      const endpoint = binding.endpoint ?? binding.binding_id;
      endpoints.add(endpoint);
      gone.delete(endpoint);
      this.cache.learnPushed(endpoint, binding);
    }
    for (const endpoint of gone) this.cache.expire(endpoint);
    this.#pushed.set(policy.client_id, endpoints);
  }

  /** The client is not attached here any more: nobody pushes its changes to us. */
  dropClient(clientId: number): void {
    this.#pushed.delete(clientId);
  }

  /** @returns null when somebody has to be asked first */
  #fromCache(endpoint: string, route: CachedRoute): Decision | null {
    const now = this.#deps.clock.now();
    const freshness = this.cache.freshness(route, now);
    if (freshness === 'old') {
      if (route.retryAtMs === 0) return null;
      this.counters.stale++;
    } else {
      this.counters.hits++;
    }
    if (freshness !== 'fresh' && now >= route.retryAtMs) this.#refresh(endpoint, route);
    return this.cache.decide(route);
  }

  #refresh(endpoint: string, route: CachedRoute): void {
    if (route.refreshing) return;
    route.refreshing = true;
    void this.#lookUp(endpoint).then(() => (route.refreshing = false));
  }

  /** Never rejects. */
  async #lookUp(endpoint: string): Promise<Decision> {
    for (;;) {
      const before = this.cache.route(endpoint);
      const askOwner = before?.askOwner === true;
      let answer: LookupAnswer;
      try {
        answer = await this.lookup.find(endpoint, { askOwner, known: before !== undefined });
      } catch {
        return this.#withoutAnswer(endpoint);
      }
      // While the projection was asked, somebody has proved it wrong.
      if (!askOwner && this.cache.route(endpoint)?.askOwner === true) continue;
      const route = this.cache.learn(endpoint, answer);
      return route === null ? UNKNOWN : this.cache.decide(route);
    }
  }

  #withoutAnswer(endpoint: string): Decision {
    const route = this.cache.route(endpoint);
    if (route === undefined) return UNAVAILABLE;
    route.retryAtMs = this.#deps.clock.now() + RETRY_MS;
    this.counters.stale++;
    return this.cache.decide(route);
  }
}
