import type { Binding } from '@tunnox/domain/binding';
import type { LookupAnswer } from '@tunnox/domain/lookup';
import type { NodeAddress } from '@tunnox/domain/presence';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { assembleAnswer } from '@tunnox/route-store/assemble-answer';
import type { PresenceRecord, RouteStore } from '@tunnox/route-store/route-store';
import type { NodeOwners, PresenceOwners, RouteOwners } from '../services/live-ports.ts';
import type { BindingRepository } from '../services/ports.ts';
import type { ExistenceCache } from './existence-cache.ts';
import type { RememberedRoutes } from './remembered-routes.ts';

export interface LookupDeps {
  bindings: BindingRepository;
  routes: RouteOwners;
  presences: PresenceOwners;
  nodes: NodeOwners;
  /** null: no Redis. */
  store: RouteStore | null;
  existence: ExistenceCache;
  /** Routes for times when Postgres is away. */
  remembered: RememberedRoutes;
  /** Lets work go on after the answer. */
  later: (work: Promise<unknown>) => void;
}

/** Answers where an endpoint is. */
export type Lookup = (endpoint: string) => Promise<LookupAnswer>;

/**
 * The owners' answer for an endpoint (a normalised host name, `tcp:{group}:{port}`, `mapping:N`). Postgres says whether
 * the endpoint exists before its owner is asked, so a name of a visitor's choosing never creates an object.
 */
export function createLookup(deps: LookupDeps): Lookup {
  return async (endpoint) => {
    const binding = await findBinding(deps, endpoint);
    if (binding === null) return { found: false };
    const places = await locateClients(deps, binding);
    const nodes = await locateNodes(deps, places);
    if (deps.store !== null) deps.later(fill(deps.store, endpoint, binding, places));
    return assembleAnswer(
      binding,
      (clientId) => places.get(clientId)?.presence ?? null,
      (nodeId) => nodes.get(nodeId) ?? null,
    );
  };
}

async function findBinding(deps: LookupDeps, endpoint: string): Promise<Binding | null> {
  const { existence, routes } = deps;
  switch (existence.state(endpoint)) {
    case 'unknown':
      return null;
    case 'exists': {
      const held = await routes.get(endpoint);
      // Nobody tells owners of routes.
      if (held?.binding && held.binding.route !== true) return held.binding;
      break;
    }
    case 'ask':
  }
  // A tombstone is not the last word: the name may be somebody's again, and the owner is about to hear of it.
  const stored = await loadStored(deps, endpoint);
  if (stored === null) {
    deps.remembered.forget(endpoint);
    existence.noteUnknown(endpoint);
    return null;
  }
  // Postgres alone owns a route: a hundred thousand of them need no objects, and no change of one can be missed.
  if (stored.route === true) {
    deps.remembered.keep(endpoint, stored);
    return stored;
  }
  deps.remembered.forget(endpoint);
  existence.noteExists(endpoint);
  return (await routes.offer(endpoint, { version: stored.version, binding: stored })).binding;
}

/** While Postgres is away, what this isolate has answered about a route counts on. */
async function loadStored(deps: LookupDeps, endpoint: string): Promise<Binding | null> {
  try {
    return await deps.bindings.loadByEndpoint(endpoint);
  } catch (error) {
    const known = deps.remembered.find(endpoint);
    if (known === null || !(error instanceof TunnoxError) || error.code !== 'unavailable') throw error;
    return known;
  }
}

async function locateClients(deps: LookupDeps, binding: Binding): Promise<Map<number, PresenceRecord>> {
  const located = binding.upstreams.map(
    async ({ client_id }) => [client_id, await deps.presences.locate(client_id)] as const,
  );
  return new Map(await Promise.all(located));
}

/** Nodes on which the clients are, as far as they live. */
async function locateNodes(deps: LookupDeps, places: Map<number, PresenceRecord>): Promise<Map<string, NodeAddress>> {
  const wanted = new Map<string, { nodeId: string; incarnation: string }>();
  for (const { presence } of places.values()) {
    if (presence === null) continue;
    const { node_id: nodeId, incarnation } = presence;
    wanted.set(`${nodeId} ${incarnation}`, { nodeId, incarnation });
  }
  const nodes = new Map<string, NodeAddress>();
  await Promise.all(
    [...wanted.values()].map(async ({ nodeId, incarnation }) => {
      const address = await deps.nodes.locate(nodeId, incarnation);
      if (address !== null) nodes.set(nodeId, address);
    }),
  );
  return nodes;
}

/** Fills Redis for the next one who asks; what is newer there stays. */
async function fill(
  store: RouteStore,
  endpoint: string,
  binding: Binding,
  places: Map<number, PresenceRecord>,
): Promise<void> {
  const writes: Promise<unknown>[] = [store.putRoute(endpoint, { version: binding.version, binding })];
  for (const [clientId, record] of places) writes.push(store.putPresence(clientId, record));
  // Redis is a projection: the answer does not depend on it.
  await Promise.allSettled(writes);
}
