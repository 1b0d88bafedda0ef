import type { ClientPolicy } from '@tunnox/domain/policy';
import type { AttachAnswer, AttachRequest, CloseCode, DetachRequest } from '@tunnox/domain/relay-api';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { RelayIdentity } from '../tickets/relay-tokens.ts';
import { closeMessage } from './close-messages.ts';
import { LEDGER_WAIT_MS, type LedgerEntry, type LedgerOwners, type LedgerShare } from './ledger-ports.ts';
import type { AttachmentRepository, AttachReply, NodeOwners, PresenceOwners, SessionKey } from './live-ports.ts';
import { needsLedger, toLedgerEntry, withoutOthers, withShare } from './policy-share.ts';
import type { ClientStanding, PolicyRepository } from './ports.ts';
import { within } from './within.ts';

export interface AttachmentDeps {
  policies: PolicyRepository;
  presences: PresenceOwners;
  nodes: NodeOwners;
  clients: AttachmentRepository;
  ledgers: Pick<LedgerOwners, 'admit'>;
  /** What lasts only while these clients are attached ends. */
  clientsLeft: (clientIds: number[]) => Promise<void>;
  /** Lets work go on after the answer. */
  later: (work: Promise<unknown>) => void;
}

/** An object that is being restarted is back by then. */
const ASK_AGAIN_MS = 3000;

type AttachItem = AttachRequest['clients'][number];
type AttachResult = AttachAnswer['results'][number];

/** Relays say which agents are attached to them, many at a time. */
export class AttachmentService {
  readonly #deps: AttachmentDeps;

  constructor(deps: AttachmentDeps) {
    this.#deps = deps;
  }

  /**
   * Attaches or announces clients. Standings are read before and policies after the presences are written: a change
   * in between either is in the policy or finds the presence and is pushed.
   *
   * While Postgres is away, owners that know a client's policy let it in with that.
   */
  async attach(relay: RelayIdentity, request: AttachRequest): Promise<AttachAnswer> {
    const { nodes, clients, later } = this.#deps;
    const ids = [...new Set(request.clients.map((client) => client.client_id))];
    const standings = await this.#standings(ids);
    const replies = await Promise.all(request.clients.map((client) => this.#attachOne(relay, client, standings)));
    const policies = await this.#shared(
      relay,
      request.clients,
      replies,
      await this.#policies(request.clients, replies),
    );
    const results = request.clients.map((client, index) => resultOf(client, replies[index], policies));
    const sessions = request.clients.flatMap((client, index) => {
      const reply = replies[index];
      return reply?.kind === 'accepted' && results[index]?.outcome === 'accepted'
        ? [{ ...sessionOf(relay, client), attachedAtMs: reply.attachedAtMs, seenAtMs: reply.seenAtMs }]
        : [];
    });
    const attached = sessions.map(({ client_id }) => client_id);
    later(nodes.noteClients(relay.nodeId, relay.incarnation, attached, []));
    // What Postgres does not get now, the sweep finds: nobody waits for it.
    later(clients.recordAttached(sessions));
    return { results };
  }

  /** Ends sessions; what is late disturbs nobody. */
  async detach(relay: RelayIdentity, request: DetachRequest): Promise<void> {
    const { presences, nodes, clients, clientsLeft, later } = this.#deps;
    const told = request.clients.map((client) => sessionOf(relay, client));
    const ended = await Promise.all(
      told.map(async ({ client_id, ...event }) => {
        const time = await presences.detach(client_id, event);
        return time === null ? [] : [{ client_id, ...event, ...time }];
      }),
    );
    const ids = told.map(({ client_id }) => client_id);
    later(nodes.noteClients(relay.nodeId, relay.incarnation, [], ids));
    later(clients.recordDetached(ended.flat()));
    later(clientsLeft(ended.flat().map(({ client_id }) => client_id)));
  }

  /** null: Postgres is away. */
  async #standings(ids: number[]): Promise<Map<number, ClientStanding> | null> {
    try {
      return await this.#deps.policies.loadStandings(ids);
    } catch (error) {
      if (isAway(error)) return null;
      throw error;
    }
  }

  async #attachOne(
    relay: RelayIdentity,
    client: AttachItem,
    standings: Map<number, ClientStanding> | null,
  ): Promise<AttachReply> {
    if (standings !== null) {
      const refusal = refusalOf(standings.get(client.client_id), client.generation);
      if (refusal !== null) return refusal;
    }
    return this.#deps.presences.attach({ ...client, node_id: relay.nodeId, incarnation: relay.incarnation });
  }

  async #policies(clients: AttachItem[], replies: AttachReply[]): Promise<Map<number, ClientPolicy>> {
    const accepted = new Map<number, ClientPolicy | null>();
    for (const [index, client] of clients.entries()) {
      const reply = replies[index];
      if (reply?.kind === 'accepted') accepted.set(client.client_id, reply.policy);
    }
    if (accepted.size === 0) return new Map();
    try {
      return await this.#deps.policies.loadPolicies([...accepted.keys()]);
    } catch (error) {
      const known = [...accepted].flatMap(([clientId, policy]) =>
        policy === null ? [] : [[clientId, policy] as const],
      );
      // Who has no policy must ask again later; then so does the whole batch.
      if (!isAway(error) || known.length < accepted.size) throw error;
      return new Map(known);
    }
  }

  /**
   * The policies with what the users' ledgers say. They fail open: while one is away its user's limits are not shared
   * out, which harms nobody; an agent that may not attach harms its user.
   */
  async #shared(
    { nodeId: node_id, incarnation }: RelayIdentity,
    clients: AttachItem[],
    replies: AttachReply[],
    policies: Map<number, ClientPolicy>,
  ): Promise<Map<number, ClientPolicy>> {
    const byUser = new Map<number, LedgerEntry[]>();
    const known = new Map<number, ClientPolicy | null>();
    for (const [index, { client_id }] of clients.entries()) {
      const reply = replies[index];
      const policy = policies.get(client_id);
      if (reply?.kind !== 'accepted' || policy === undefined) continue;
      known.set(client_id, reply.policy);
      if (!needsLedger(policy)) continue;
      const entries = byUser.get(policy.user_id) ?? [];
      entries.push(toLedgerEntry(policy, { node_id, incarnation, order: reply.order }));
      byUser.set(policy.user_id, entries);
    }
    const answers = await Promise.all([...byUser].map(([userId, entries]) => this.#admit(userId, entries, policies)));
    const shares = new Map(answers.flat().map((share) => [share.client_id, share]));
    const shared = new Map<number, ClientPolicy>();
    for (const [clientId, policy] of policies) {
      const next = withoutOthers(withShare(policy, shares.get(clientId) ?? null));
      shared.set(clientId, next);
      if (!isKnown(known.get(clientId) ?? null, next)) this.#deps.later(this.#deps.presences.remember(next));
    }
    return shared;
  }

  /** Never rejects; none: the ledger is away, or slow. */
  async #admit(userId: number, entries: LedgerEntry[], policies: Map<number, ClientPolicy>): Promise<LedgerShare[]> {
    const { ledgers, presences, later } = this.#deps;
    const asked = ledgers.admit(userId, entries);
    try {
      const shares = await within(asked, LEDGER_WAIT_MS);
      if (shares !== null) return shares;
      later(asked.then((late) => Promise.all(late.map((share) => presences.takeShare(share)))));
    } catch {
      // The ledger must hear of them all the same: a push asks it again.
      const told = entries.flatMap(({ client_id }) => policies.get(client_id) ?? []);
      later(delay(ASK_AGAIN_MS).then(() => Promise.all(told.map((policy) => presences.push(policy, 0)))));
    }
    return [];
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function isKnown(known: ClientPolicy | null, policy: ClientPolicy): boolean {
  return (
    known?.generation === policy.generation &&
    known.config_version === policy.config_version &&
    known.limits.ledger?.version === policy.limits.ledger?.version
  );
}

function sessionOf(
  { nodeId: node_id, incarnation }: RelayIdentity,
  { client_id, instance_id, connect_seq }: DetachRequest['clients'][number],
): SessionKey {
  return { client_id, instance_id, connect_seq, node_id, incarnation };
}

function resultOf(
  client: AttachItem,
  reply: AttachReply | undefined,
  policies: Map<number, ClientPolicy>,
): AttachResult {
  const { client_id } = client;
  if (reply?.kind === 'refused') return { client_id, outcome: 'refused', code: reply.code, message: reply.message };
  const policy = policies.get(client_id);
  if (policy !== undefined) return { client_id, outcome: 'accepted', policy };
  // It lost its standing between the two reads; the agent learns why from the control plane.
  return { client_id, outcome: 'refused', code: 'disconnected', message: 'The client has just been changed.' };
}

function refusalOf(
  standing: ClientStanding | undefined,
  generation: number,
): (AttachReply & { kind: 'refused' }) | null {
  const code = refusalCode(standing, generation);
  return code === null ? null : { kind: 'refused', code, message: closeMessage(code, standing) };
}

function refusalCode(standing: ClientStanding | undefined, generation: number): CloseCode | null {
  if (standing === undefined) return 'deleted';
  switch (standing.state) {
    case 'disabled':
      return 'disabled';
    case 'claimed':
      return 'claimed';
    case 'active':
      // Nor a higher one, which no ticket has: the owner would refuse the client's true one from then on.
      return generation === standing.generation ? null : 'stale_ticket';
  }
}

function isAway(error: unknown): boolean {
  return error instanceof TunnoxError && error.code === 'unavailable';
}
