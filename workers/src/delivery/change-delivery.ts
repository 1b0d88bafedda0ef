import type { CloseCode } from '@tunnox/domain/relay-api';
import type { RouteRecord, RouteStore } from '@tunnox/route-store/route-store';
import { closeMessage } from '../services/close-messages.ts';
import type {
  ExpelEvent,
  NodeRegistry,
  OutboxRepository,
  OutboxRow,
  PresenceOwners,
  PushOutcome,
  RouteOwners,
} from '../services/live-ports.ts';
import type {
  BindingRepository,
  ChangeDelivery,
  ClientStanding,
  Delivery,
  PolicyRepository,
} from '../services/ports.ts';

export interface DeliveryDeps {
  outbox: OutboxRepository;
  bindings: BindingRepository;
  policies: PolicyRepository;
  routes: RouteOwners;
  presences: PresenceOwners;
  registry: Pick<NodeRegistry, 'voidTickets'>;
  /** null: no Redis. */
  store: RouteStore | null;
}

export interface OutboxDelivery extends ChangeDelivery {
  /** Delivers what was left lying. @returns How many rows. */
  sweep(): Promise<number>;
}

/** A user's new limits concern all its clients: they are told in parts. */
const CLIENTS_AT_ONCE = 100;

const SWEEP_ROWS = 200;

/** Enough for a long outage in one sweep, and an end to it. */
const SWEEP_ROUNDS_MAX = 50;

/**
 * Carries outbox rows to the owners. What is delivered is read from Postgres at that moment, and every owner refuses
 * what is older than it has, so rows may be delivered twice, late, and in any order.
 */
export function createDelivery(deps: DeliveryDeps): OutboxDelivery {
  return {
    async deliver(outboxIds, waitMs) {
      if (outboxIds.length === 0) return [];
      const rows = await deps.outbox.claim(outboxIds);
      const delivered = await carry(deps, rows, waitMs);
      const claimed = new Set(rows.map((row) => row.id));
      const elsewhere = outboxIds.filter((id) => !claimed.has(id));
      if (elsewhere.length === 0) return delivered;
      // Somebody else is at it: the sweep, or a repetition of the request.
      const known = new Set(delivered.map((delivery) => delivery.client_id));
      const pending = (await deps.outbox.clientsOf(elsewhere)).filter((clientId) => !known.has(clientId));
      return [...delivered, ...pending.map((client_id): Delivery => ({ client_id, state: 'pending' }))];
    },

    async sweep() {
      let count = 0;
      for (let round = 0; round < SWEEP_ROUNDS_MAX; round += 1) {
        const rows = await deps.outbox.claimLeft(SWEEP_ROWS);
        await carry(deps, rows, 0);
        count += rows.length;
        if (rows.length < SWEEP_ROWS) break;
      }
      return count;
    },
  };
}

async function carry(deps: DeliveryDeps, rows: OutboxRow[], waitMs: number): Promise<Delivery[]> {
  if (rows.length === 0) return [];
  const deadline = Date.now() + waitMs;
  // Routes first: when an agent reports its configuration as applied, the name must answer.
  const failedEndpoints = await carryRoutes(deps, rows);
  const clientIds = [...new Set(rows.flatMap((row) => row.clientIds))];
  const deliveries: Delivery[] = [];
  const failedClients = new Set<number>();
  for (let start = 0; start < clientIds.length; start += CLIENTS_AT_ONCE) {
    const some = clientIds.slice(start, start + CLIENTS_AT_ONCE);
    const told = await carryClients(deps, rows, some, Math.max(0, deadline - Date.now()));
    for (const [index, result] of told.entries()) {
      const clientId = some[index] ?? 0;
      if (result.status === 'rejected') failedClients.add(clientId);
      deliveries.push(result.status === 'fulfilled' ? result.value : { client_id: clientId, state: 'pending' });
    }
  }
  // What failed stays claimed; the sweep repeats it when the claim has aged.
  const done = rows.filter(
    (row) => !failedEndpoints.has(endpointOf(row)) && !row.clientIds.some((clientId) => failedClients.has(clientId)),
  );
  await deps.outbox.markDelivered(done.map((row) => row.id));
  return deliveries;
}

/** @returns Endpoints whose owner could not be told. */
async function carryRoutes(deps: DeliveryDeps, rows: OutboxRow[]): Promise<Set<string | null>> {
  const newest = newestOfEach(rows);
  const results = await Promise.allSettled(newest.map((row) => carryRoute(deps, row)));
  return new Set(newest.filter((_, index) => results[index]?.status === 'rejected').map(endpointOf));
}

async function carryClients(
  deps: DeliveryDeps,
  rows: OutboxRow[],
  clientIds: number[],
  waitMs: number,
): Promise<PromiseSettledResult<Delivery>[]> {
  const [standings, policies] = await Promise.all([
    deps.policies.loadStandings(clientIds),
    deps.policies.loadPolicies(clientIds),
  ]);
  return Promise.allSettled(
    clientIds.map(async (clientId): Promise<Delivery> => {
      const ending = endingOf(rows, clientId, standings.get(clientId));
      if (ending !== null) {
        const { event, code } = ending;
        const message = closeMessage(code, standings.get(clientId));
        const voided = { client_id: clientId, below_generation: firstGoodGeneration(event, standings.get(clientId)) };
        await Promise.all([
          deps.presences.expel(clientId, event, code, message),
          code === 'disconnected' ? undefined : deps.registry.voidTickets({ ...voided, code, message }),
        ]);
      }
      const policy = policies.get(clientId);
      if (policy === undefined) return { client_id: clientId, state: 'offline' };
      return deliveryOf(rows, clientId, await deps.presences.push(policy, waitMs));
    }),
  );
}

/** Of the rows about one endpoint only the newest matters. */
function newestOfEach(rows: OutboxRow[]): OutboxRow[] {
  const newest = new Map<string, OutboxRow>();
  for (const row of rows) {
    const endpoint = endpointOf(row);
    if (endpoint === null) continue;
    const held = newest.get(endpoint);
    if (held === undefined || row.version > held.version) newest.set(endpoint, row);
  }
  return [...newest.values()];
}

/** Endpoint under which relays look the binding up; a private mapping's is its id. */
function endpointOf(row: OutboxRow): string | null {
  return row.kind === 'binding_changed' ? (row.endpoint ?? row.bindingId) : null;
}

async function carryRoute(deps: DeliveryDeps, row: OutboxRow): Promise<void> {
  const endpoint = endpointOf(row);
  if (endpoint === null) return;
  const binding = row.deleted || row.bindingId === null ? null : await deps.bindings.load(row.bindingId);
  const here = binding !== null && (binding.endpoint ?? binding.binding_id) === endpoint;
  const record: RouteRecord = here ? { version: binding.version, binding } : { version: row.version, binding: null };
  // A route has no owner but Postgres; copies may be told.
  const held = record.binding?.route === true ? record : await deps.routes.offer(endpoint, record);
  // Redis is a projection: while it is away nothing waits for it, and what it misses ends with its record's life.
  await deps.store?.putRoute(endpoint, held).catch(() => false);
}

interface Ending {
  code: CloseCode;
  event: ExpelEvent;
}

/** What the rows say about the session of a client; null: it goes on. */
function endingOf(rows: OutboxRow[], clientId: number, standing: ClientStanding | undefined): Ending | null {
  let ending: Ending | null = null;
  for (const row of rows) {
    const code = row.kind === 'client_changed' && row.clientIds.includes(clientId) ? closeCodeOf(row.change) : null;
    if (code === null) continue;
    ending = { code, event: { generation: standing?.generation ?? 1, attachedUntilMs: attachedUntil(row, standing) } };
  }
  return ending;
}

/** A client that is gone has no ticket that counts, and its id is never given again. */
function firstGoodGeneration(event: ExpelEvent, standing: ClientStanding | undefined): number {
  return standing === undefined ? Number.MAX_SAFE_INTEGER : event.generation;
}

/** Up to when a session may have begun that the row ends, beside those of older credentials. */
function attachedUntil(row: OutboxRow, standing: ClientStanding | undefined): number | null {
  // Nobody may be attached now, whenever it came.
  if (standing?.state !== 'active') return Number.MAX_SAFE_INTEGER;
  return row.change === 'disconnected' ? row.createdAtMs : null;
}

function closeCodeOf(change: string | null): CloseCode | null {
  switch (change) {
    case 'disabled':
    case 'deleted':
    case 'claimed':
    case 'disconnected':
      return change;
    case 'rotated':
      return 'stale_ticket';
    default:
      return null;
  }
}

/** What an agent could not do of other bindings is not this change's. */
function deliveryOf(rows: OutboxRow[], clientId: number, { state, problems }: PushOutcome): Delivery {
  const changed = new Set(rows.flatMap((row) => (row.clientIds.includes(clientId) ? [row.bindingId] : [])));
  const own = problems.filter((problem) => changed.has(problem.binding_id));
  if (own.length === 0) return { client_id: clientId, state: state === 'failed' ? 'applied' : state };
  const detail = own.map((problem) => `${problem.binding_id}: ${problem.message}`).join('; ');
  return { client_id: clientId, state, detail };
}
