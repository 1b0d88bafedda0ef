import type { ClientPolicy } from '@tunnox/domain/policy';
import type { NodeAddress } from '@tunnox/domain/presence';
import type { CloseCode, Jwks, RegisterRequest, UsageAnswer, UsageRequest } from '@tunnox/domain/relay-api';
import type { PresenceRecord, RouteRecord } from '@tunnox/route-store/route-store';
import type { AuditEntry } from './audit.ts';
import type { LedgerShare } from './ledger-ports.ts';

/** Ports of the services that deal with live state: the owners (Durable Objects) and what Postgres keeps for them. */

/** Owners of endpoints' routing state. Asked only for endpoints that Postgres knows, or knew. */
export interface RouteOwners {
  /** null: never filled. */
  get(endpoint: string): Promise<RouteRecord | null>;
  /** @returns What the owner holds now: the record, or the newer one that it had. */
  offer(endpoint: string, record: RouteRecord): Promise<RouteRecord>;
}

/** An agent session that a relay has. */
export interface AttachEvent {
  client_id: number;
  node_id: string;
  incarnation: string;
  instance_id: string;
  connect_seq: number;
  generation: number;
  /** `attach`: the agent has just connected; `announce`: it is still there, which only compares. */
  mode: 'attach' | 'announce';
}

/** An agent session that has ended. */
export interface DetachEvent {
  node_id: string;
  incarnation: string;
  instance_id: string;
  connect_seq: number;
}

/** A change that ends sessions. */
export interface ExpelEvent {
  /** Sessions and tickets of a lower credential generation lose. */
  generation: number;
  /** Sessions that were attached up to this moment lose too, milliseconds since 1970; null: none. */
  attachedUntilMs: number | null;
}

export type AttachReply =
  | {
      kind: 'accepted';
      /** The one that was known last; null: none. */
      policy: ClientPolicy | null;
      /** Of the presence; rises with every change of it. */
      order: number;
      /** Milliseconds since 1970. */
      attachedAtMs: number;
      seenAtMs: number;
    }
  | { kind: 'refused'; code: CloseCode; message: string };

/** From when to when a session was attached, milliseconds since 1970. */
export interface SessionTime {
  attachedAtMs: number;
  detachedAtMs: number;
}

/** How far a pushed policy came, with what the agent could not do. */
export interface PushOutcome {
  state: 'applied' | 'offline' | 'pending' | 'failed';
  problems: ConfigProblem[];
}

export interface ConfigProblem {
  binding_id: string;
  code: string;
  message: string;
}

/** Owners of where clients are. */
export interface PresenceOwners {
  attach(event: AttachEvent): Promise<AttachReply>;
  /** @returns From when to when the session was attached; null: the word is late, it ended before. */
  detach(clientId: number, event: DetachEvent): Promise<SessionTime | null>;
  locate(clientId: number): Promise<PresenceRecord>;
  /** What the client's ledger has decided. @returns false when the client is not attached. */
  takeShare(share: LedgerShare): Promise<boolean>;
  /** Keeps a policy for times when Postgres is away. */
  remember(policy: ClientPolicy): Promise<void>;
  /** Sends a policy, with what the user's ledger says, to the client's relay; waits up to `waitMs` for the agent. */
  push(policy: ClientPolicy, waitMs: number): Promise<PushOutcome>;
  /** Ends the client's session, unless it began after what the event says. */
  expel(clientId: number, event: ExpelEvent, code: CloseCode, message: string): Promise<void>;
}

/** What a relay says of itself when it registers. */
export interface NodeProfile {
  node_id: string;
  fingerprint: string;
  group: string;
  region: string;
  public_address: string;
  /** Canonical; null or absent (a relay that registered with an earlier version): none is known. */
  public_ipv4?: string | null;
  public_ipv6?: string | null;
  internal_address: string;
  ports: RegisterRequest['ports'];
  version: string;
}

export interface NodeLoad {
  clients: number;
  tunnels: number;
  /** 0 to 1. */
  cpu: number;
  memory_bytes: number;
  bandwidth_bytes_per_s: number;
}

/** A relay as Postgres shows it to people. */
export interface NodeRecord {
  profile: NodeProfile;
  load: NodeLoad;
  incarnation: string;
  status: NodeAddress['status'];
  /** Milliseconds since 1970. */
  startedAt: number;
  lastSeenAt: number;
  /** Since when it is gone though it was online and said nothing; null or absent: it is not. */
  lostAt?: number | null;
}

export interface SessionOpener {
  /** Upgrades `request` to the session WebSocket of the relay. */
  openSession(request: Request, nodeId: string, incarnation: string, lastSeq: number): Promise<Response>;
}

/** Owners of relays' liveness. */
export interface NodeOwners extends SessionOpener {
  /** Begins a new incarnation. @returns Its ULID. */
  register(profile: NodeProfile): Promise<string>;
  /** A sign of life. @returns false when the incarnation is not the node's current one. */
  touch(nodeId: string, incarnation: string): Promise<boolean>;
  /** null: this incarnation does not live. */
  locate(nodeId: string, incarnation: string): Promise<NodeAddress | null>;
  drain(nodeId: string, deadlineMs: number): Promise<boolean>;
  /** The relay goes by itself: it is `draining`, and all are told when this resolves. */
  withdraw(nodeId: string, incarnation: string): Promise<void>;
  noteClients(nodeId: string, incarnation: string, attached: number[], detached: number[]): Promise<void>;
  notedClients(nodeId: string): Promise<number[]>;
  /** Ends what an offline node has here: its token counts no more. @returns false when it lives. */
  forget(nodeId: string): Promise<boolean>;
  /** Ends a lease that is over, should its alarm have been lost. */
  settle(nodeId: string): Promise<void>;
}

/** A node id that was given to a key. */
export interface NodeSeat {
  node_id: string;
  fingerprint: string;
  relay_group: string;
  /** Milliseconds since 1970 when the node went away; null: it is here. */
  gone_since: number | null;
}

export type SeatFinding =
  | { kind: 'known'; node_id: string; group: string }
  | { kind: 'unknown' }
  /** The assertion was used before. */
  | { kind: 'replayed' };

/** What became of a key that a join token has let in. */
export type Seating = { kind: 'seated'; node_id: string } | { kind: 'exhausted' } | { kind: 'replayed' };

/** A proof of a node key, which counts once. */
export interface Assertion {
  jti: string;
  /** Milliseconds since 1970 after which it is refused for its age. */
  expiresAtMs: number;
}

/** Tickets that count no more. */
export interface VoidedTickets {
  client_id: number;
  /** Tickets of this generation and later ones count. */
  below_generation: number;
  code: CloseCode;
  message: string;
}

/** Owner of the node ids. */
export interface NodeRegistry {
  /** Finds the seat of a key; uses up the assertion if there is one. */
  present(fingerprint: string, assertion: Assertion): Promise<SeatFinding>;
  /** Gives a key a seat, or finds the one that it has, and uses up the assertion. */
  allocate(fingerprint: string, group: string, assertion: Assertion): Promise<Seating>;
  /** Nodes that are not offline. */
  peers(): Promise<NodeAddress[]>;
  /** Gives the id of an offline node free; its key is a stranger's then. @returns false when it is not offline. */
  free(nodeId: string): Promise<boolean>;
  /** Tells every node that is not offline. */
  voidTickets(voided: VoidedTickets): Promise<void>;
  /** Tells every node that is not offline by which keys tickets may be signed. */
  tellKeys(keys: Jwks): Promise<void>;
}

/** A relay that agents may be sent to. */
export interface AgentRelay extends NodeAddress {
  clients: number;
}

export interface RelayNodeRepository {
  /**
   * Writes the relay's row unless a later incarnation has, and in the same transaction what follows for DNS records.
   *
   * @returns Zones whose records have changed by it.
   */
  save(record: NodeRecord): Promise<number[]>;
  /** Writes the load only: the status may be on its way in another call. */
  saveLoad(record: NodeRecord): Promise<void>;
  seats(): Promise<NodeSeat[]>;
  /** Ids of relays that are not offline, and about which nothing was written for `seconds`. */
  silentSince(seconds: number): Promise<string[]>;
  /** Online relays of the group. */
  forAgents(group: string): Promise<AgentRelay[]>;
}

export interface JoinTokenRepository {
  /** Uses the token once. @returns Its relay group; null: unknown, used up, ended or revoked. */
  consume(hash: string): Promise<string | null>;
  /** Gives a use back. */
  refund(hash: string): Promise<void>;
}

export interface NewAnonymousClient {
  clientId: number;
  name: string;
  authCodeHash: string;
  lifeS: number;
  /** Network whose creations are counted. */
  network: string;
  perHourMax: number;
}

export interface AnonymousRepository {
  /** @returns `collision`: the id is in use. `limited`: the network has made its number of clients this hour. */
  create(client: NewAnonymousClient, audit: AuditEntry): Promise<'made' | 'collision' | 'limited'>;
}

/** One connection of one agent's process to one run of a relay. */
export interface SessionKey {
  client_id: number;
  instance_id: string;
  connect_seq: number;
  node_id: string;
  incarnation: string;
}

/** A session that is attached: since when, and when it was last said so. */
export interface AttachedSession extends SessionKey {
  attachedAtMs: number;
  seenAtMs: number;
}

export interface DetachedSession extends SessionKey, SessionTime {}

/** What is kept of sessions. Each fact may come twice, late, and before an earlier one. */
export interface AttachmentRepository {
  recordAttached(sessions: readonly AttachedSession[]): Promise<void>;
  recordDetached(sessions: readonly DetachedSession[]): Promise<void>;
  /** What an agent has put into effect, and what of it could not be done. An older version changes nothing. */
  recordApplied(clientId: number, version: number, problems: ConfigProblem[]): Promise<void>;
}

export interface UsageRepository {
  /**
   * Adds the counts once for each (relay, incarnation, sequence).
   *
   * @param relay Its node id, and the fingerprint of its key (null: not known).
   * @returns What is left to the users and anonymous clients that the report names.
   */
  add(relay: { nodeId: string; fingerprint: string | null }, report: UsageRequest): Promise<UsageAnswer>;
}

/** A change that has to reach the owners. */
export interface OutboxRow {
  id: number;
  kind: 'binding_changed' | 'client_changed';
  bindingId: string | null;
  endpoint: string | null;
  version: number;
  deleted: boolean;
  clientIds: number[];
  change: string | null;
  /** Milliseconds since 1970. */
  createdAtMs: number;
}

export interface OutboxRepository {
  /** Takes those of the rows that nobody has taken. */
  claim(ids: number[]): Promise<OutboxRow[]>;
  /** Takes up to `limit` rows that were left lying. */
  claimLeft(limit: number): Promise<OutboxRow[]>;
  markDelivered(ids: number[]): Promise<void>;
  /** Clients of rows that somebody else delivers. */
  clientsOf(ids: number[]): Promise<number[]>;
}

export interface SweepRepository {
  /** Removes anonymous clients whose time has ended, with what only they serve. @returns Outbox rows. */
  removeExpiredClients(): Promise<number[]>;
  /** Removes reports, keys and counters that nobody can ask for any more. */
  removeOldRows(): Promise<void>;
}
