import type { UpstreamRow } from './binding-ports.ts';
import type { ClientRecord } from './client-ports.ts';
import { type ClientLookup, findServingClient } from './client-lookup.ts';
import { type Caller, invalid, notFound } from './principal.ts';

/** Who shall serve something: one client by its id, or several. */
export interface UpstreamWish {
  clientId?: number | undefined;
  upstreams?: UpstreamRow[] | undefined;
}

/** What a client serves alone. */
const ALONE = { weight: 100, priority: 0 };

/**
 * The clients that shall serve a mapping or a domain, all of one owner and team.
 *
 * @param pointer Where the request names a single one.
 * @returns The first of them, and all as they are stored.
 * @throws {TunnoxError} `not_found` also for another tenant's, `client_disabled`, `client_claimed`, `invalid`
 */
export async function findUpstreams(
  clients: ClientLookup,
  caller: Caller,
  { clientId, upstreams }: UpstreamWish,
  pointer: string,
): Promise<{ first: ClientRecord; upstreams: UpstreamRow[] }> {
  const wanted = upstreams?.map((row, index) => ({ ...row, at: `/upstreams/${index}/client_id` }));
  const found = await Promise.all(
    (wanted ?? [{ client_id: clientId, at: pointer }]).map(({ client_id, at }) =>
      findServingClient(clients, caller, client_id, at),
    ),
  );
  const [first] = found;
  if (first === undefined) throw invalid('/upstreams', 'must name a client');
  for (const [index, { user_id, namespace_id }] of found.entries()) {
    // An anonymous client is its own owner.
    const together = user_id !== null && user_id === first.user_id && namespace_id === first.namespace_id;
    if (index > 0 && !together) {
      throw invalid(`/upstreams/${index}/client_id`, 'must be of the same owner and team as the others');
    }
  }
  return { first, upstreams: upstreams ?? [{ client_id: first.client_id, ...ALONE }] };
}

/**
 * An agent's own credential names nobody but that agent, and does not change who serves beside it.
 *
 * @param before Who serves it now; null: it is new.
 * @throws {TunnoxError} `not_found`, `invalid`
 */
export function requireOwnUpstreams({ principal }: Caller, wish: UpstreamWish, before: UpstreamRow[] | null): void {
  if (principal.role !== 'client') return;
  const named =
    wish.upstreams?.map(({ client_id }) => client_id) ?? (wish.clientId === undefined ? [] : [wish.clientId]);
  for (const clientId of named) if (clientId !== principal.clientId) throw notFound('client', clientId);
  if (before === null || named.length === 0) return;
  if (before.some(({ client_id }) => client_id !== principal.clientId)) {
    throw invalid('/upstreams', "cannot be changed with an agent's own credential while other clients serve too");
  }
}

/**
 * Who shall serve what exists already; undefined: as before.
 *
 * @throws {TunnoxError} as findUpstreams(), and for clients of another owner or team
 */
export async function findNewUpstreams(
  clients: ClientLookup,
  caller: Caller,
  wish: UpstreamWish,
  record: { user_id: number | null; namespace_id: number | null; upstreams: UpstreamRow[] },
): Promise<UpstreamRow[] | undefined> {
  const [only, ...others] = record.upstreams;
  const unchanged = wish.clientId === undefined || (wish.clientId === only?.client_id && others.length === 0);
  if (wish.upstreams === undefined && unchanged) return undefined;
  requireOwnUpstreams(caller, wish, record.upstreams);
  const { first, upstreams } = await findUpstreams(clients, caller, wish, '/client_id');
  const together = first.user_id === record.user_id && first.namespace_id === record.namespace_id;
  // What is an anonymous client's stays with it.
  if (!together || (first.user_id === null && first.client_id !== only?.client_id)) {
    throw notFound('client', first.client_id);
  }
  return upstreams;
}
