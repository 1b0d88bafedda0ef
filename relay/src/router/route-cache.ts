import type { Binding } from '@tunnox/domain/binding';
import type { LookupAnswer, UpstreamPlace } from '@tunnox/domain/lookup';
import type { NodeAddress, Presence } from '@tunnox/domain/presence';
import type { Clock } from '../clock.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { LruMap } from './lru-map.ts';
import { type Candidate, orderUpstreams } from './order-upstreams.ts';
import type { Decision } from './router.ts';

/** Makes upstreams out of places. */
export interface UpstreamDirectory {
  /** The client's session at this relay; null: not attached here. */
  local(clientId: number): Upstream | null;
  /** The way to a client at another relay; null: this place cannot be reached. */
  peer(presence: Presence, node: NodeAddress): Upstream | null;
}

/** What is known of one endpoint. Kept past its time: it serves on while nobody can be asked. */
export interface CachedRoute {
  binding: Binding;
  /** Until then the binding is taken as true, in milliseconds of the clock. */
  freshUntilMs: number;
  /** The next look-up goes to the owner. */
  askOwner: boolean;
  /** Nobody could be asked: until then nobody is asked again, and then only in the background; 0: all is well. */
  retryAtMs: number;
  /** Somebody is being asked in the background. */
  refreshing: boolean;
}

/** Where a client that is not attached here is. */
interface CachedPlace {
  /** null: away. */
  upstream: Upstream | null;
  /** What the place was made from: node incarnation and agent connect. */
  identity: string;
  freshUntilMs: number;
}

export interface RouteCacheDeps {
  clock: Clock;
  /** 0 (included) to 1. */
  random: () => number;
  directory: UpstreamDirectory;
}

/** A change is pushed or comes back with 409; this bounds what both have missed. */
const BINDING_FRESH_MS = 60_000;
/** A move comes back with 421; this bounds how long a better place goes unnoticed. */
const PLACE_FRESH_MS = 5000;
/** "Unknown" and "away" end when somebody makes the name or starts the agent: people wait for that. */
const NEGATIVE_FRESH_MS = 1000;
/** The last part of its time in which something that is used is renewed before it ends. */
const AGING_SHARE = 0.2;
/** About 1 KB each. */
const ROUTES_MAX = 50_000;
const PLACES_MAX = 50_000;
const UNKNOWN_MAX = 10_000;

/** First tier: what this process has learnt, bounded. */
export class RouteCache {
  readonly #deps: RouteCacheDeps;
  readonly #routes = new LruMap<string, CachedRoute>(ROUTES_MAX);
  readonly #places = new LruMap<number, CachedPlace>(PLACES_MAX);
  /** Endpoints that the owner does not know, until when. */
  readonly #unknown = new LruMap<string, number>(UNKNOWN_MAX);

  constructor(deps: RouteCacheDeps) {
    this.#deps = deps;
  }

  get size(): { routes: number; places: number; unknown: number } {
    return { routes: this.#routes.size, places: this.#places.size, unknown: this.#unknown.size };
  }

  route(endpoint: string): CachedRoute | undefined {
    return this.#routes.get(endpoint);
  }

  isUnknown(endpoint: string): boolean {
    return (this.#unknown.get(endpoint) ?? 0) > this.#deps.clock.now();
  }

  /** Takes in the word of the projection or the owner. */
  learn(endpoint: string, answer: LookupAnswer): CachedRoute | null {
    if (!answer.found) {
      this.#routes.delete(endpoint);
      this.#unknown.set(endpoint, this.#deps.clock.now() + NEGATIVE_FRESH_MS);
      return null;
    }
    for (const place of answer.upstreams) this.#learnPlace(place);
    const held = this.#routes.get(endpoint)?.binding;
    const newerHeld = held?.binding_id === answer.binding.binding_id && held.version > answer.binding.version;
    return this.#keep(endpoint, newerHeld ? held : answer.binding);
  }

  /** Takes in a binding that the control plane pushed: no older word of it counts any more. */
  learnPushed(endpoint: string, binding: Binding): void {
    const held = this.#routes.get(endpoint);
    if (held !== undefined && held.binding.binding_id !== binding.binding_id) {
      // Two rows claim one endpoint: one of them is gone, and only the owner knows which.
      this.expire(endpoint);
    } else if (held === undefined || held.binding.version <= binding.version) {
      this.#keep(endpoint, binding);
    }
  }

  /** It may be wrong: the owner is asked before it is used again, but it is kept for when the owner is away. */
  expire(endpoint: string): void {
    const route = this.#routes.get(endpoint);
    if (route === undefined) return;
    route.askOwner = true;
    route.freshUntilMs = 0;
  }

  /** It is no more, whoever answers or not. */
  drop(endpoint: string): void {
    this.#routes.delete(endpoint);
  }

  /** The upstream has proved to be no way to its client. */
  dropPlace(endpoint: string, upstream: Upstream): void {
    for (const { client_id } of this.#routes.get(endpoint)?.binding.upstreams ?? []) {
      if (this.#places.get(client_id)?.upstream?.key === upstream.key) this.#places.delete(client_id);
    }
  }

  /**
   * `aging`: usable, and time to ask in the background. A binding of a client that is attached here does not grow old
   * by itself: its changes are pushed.
   */
  freshness(route: CachedRoute, now: number): 'fresh' | 'aging' | 'old' {
    let leftShare = (route.freshUntilMs - now) / BINDING_FRESH_MS;
    let attachedHere = false;
    for (const { client_id } of route.binding.upstreams) {
      if (this.#deps.directory.local(client_id) !== null) {
        attachedHere = true;
        continue;
      }
      const place = this.#places.get(client_id);
      if (place === undefined || place.freshUntilMs <= now || place.upstream?.closed === true) return 'old';
      leftShare = Math.min(leftShare, (place.freshUntilMs - now) / placeFreshMs(place.upstream));
    }
    if (leftShare <= 0 && (!attachedHere || route.askOwner)) return 'old';
    return leftShare < AGING_SHARE ? 'aging' : 'fresh';
  }

  /** The decision by what is known, whatever its age. */
  decide(route: CachedRoute): Decision {
    const { binding } = route;
    const candidates: Candidate[] = [];
    let placesKnown = true;
    for (const { client_id, weight, priority } of binding.upstreams) {
      const place = this.#places.get(client_id);
      const upstream = this.#deps.directory.local(client_id) ?? place?.upstream ?? null;
      if (upstream !== null && !upstream.closed) candidates.push({ upstream, weight, priority });
      else if (place === undefined || place.upstream !== null) placesKnown = false;
    }
    const [only] = candidates;
    if (only === undefined) return placesKnown ? { kind: 'offline', binding } : { kind: 'unavailable' };
    if (candidates.length === 1) return { kind: 'open', binding, upstreams: [only.upstream] };
    const [best = only.upstream, ...others] = orderUpstreams(candidates, this.#deps.random);
    return { kind: 'open', binding, upstreams: [best, ...others] };
  }

  #learnPlace({ client_id, presence, node }: UpstreamPlace): void {
    const away = presence === null || node === null || node.status === 'offline';
    const identity = away ? '' : `${node.incarnation} ${presence.instance_id} ${presence.connect_seq}`;
    const held = this.#places.get(client_id);
    let upstream: Upstream | null = null;
    // The same place keeps its upstream, and with it the idle tunnels that lead there.
    if (held?.identity === identity && held.upstream?.closed !== true) upstream = held.upstream;
    else if (!away) upstream = this.#deps.directory.peer(presence, node);
    const freshUntilMs = this.#deps.clock.now() + placeFreshMs(upstream);
    this.#places.set(client_id, { upstream, identity, freshUntilMs });
  }

  #keep(endpoint: string, binding: Binding): CachedRoute {
    const freshUntilMs = this.#deps.clock.now() + BINDING_FRESH_MS;
    const route: CachedRoute = { binding, freshUntilMs, askOwner: false, retryAtMs: 0, refreshing: false };
    this.#routes.set(endpoint, route);
    this.#unknown.delete(endpoint);
    return route;
  }
}

function placeFreshMs(upstream: Upstream | null): number {
  return upstream === null ? NEGATIVE_FRESH_MS : PLACE_FRESH_MS;
}
