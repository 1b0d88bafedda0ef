import type { AgentConfigAnswer } from '@tunnox/domain/agent-config';
import type { Binding } from '@tunnox/domain/binding';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { Presence } from '@tunnox/domain/presence';

/** Encrypts short secrets for storing. Decrypting a text of another key or a changed text throws. */
export interface Cipher {
  encrypt(plain: Uint8Array): Promise<string>;
  decrypt(text: string): Promise<Uint8Array>;
}

/** Bindings as relays see them, read from Postgres, the owner. */
export interface BindingRepository {
  /** @returns null: there is no such binding, or its name is not verified or has ended. */
  load(bindingId: string): Promise<Binding | null>;
  /** @param endpoint A normalised host name, `tcp:{group}:{port}`, or `mapping:N` for a private mapping. */
  loadByEndpoint(endpoint: string): Promise<Binding | null>;
}

/** May a client be attached and use its credential? */
export interface ClientStanding {
  clientId: number;
  /** null: anonymous. */
  userId: number | null;
  /** Its team; null: none. */
  namespaceId: number | null;
  type: 'managed' | 'anonymous';
  name: string;
  /** `disabled` also when its user is disabled. */
  state: 'active' | 'disabled' | 'claimed';
  /** By an operator; null: not. */
  suspended: { reason: string | null } | null;
  generation: number;
  configVersion: number;
  /** Managed client that this anonymous one became. */
  upgradedTo: number | null;
  authCodeHash: string;
}

export interface PolicyRepository {
  /** Absent: no such client; deleted, or an anonymous one that has ended. */
  loadStandings(clientIds: number[]): Promise<Map<number, ClientStanding>>;
  /** All that the clients' relays need; absent unless the client's standing is `active`. One statement. */
  loadPolicies(clientIds: number[]): Promise<Map<number, ClientPolicy>>;
  /**
   * What the agent itself does, with secrets; null unless the client's standing is `active`.
   *
   * @param since Version of which the agent has the whole: what has changed since is enough, if all of it is known. null:
   *   it takes nothing but the whole.
   */
  loadAgentConfig(clientId: number, since: number | null): Promise<AgentConfigAnswer | null>;
}

/** How far a change has come at one client. */
export interface Delivery {
  client_id: number;
  state: 'applied' | 'offline' | 'pending' | 'failed';
  detail?: string;
}

/** Carries outbox rows to the Durable Objects and relays. What it does not reach in time, the sweep delivers. */
export interface ChangeDelivery {
  /** Delivers the rows and waits up to `waitMs` for the agents; never throws for an agent that is away. */
  deliver(outboxIds: number[], waitMs: number): Promise<Delivery[]>;
}

/** Where clients are now. */
export interface PresenceReader {
  /** @returns The presences of those that are attached to a living relay; the others are absent. */
  read(clientIds: number[]): Promise<Map<number, Presence>>;
}

/** Commands to relays. */
export interface NodeControl {
  /** Tells a relay to take no more visitors and to send its agents away; false: no such relay, or it is away. */
  drain(nodeId: string, deadlineMs: number): Promise<boolean>;
  /** Clients that are attached to the relay now: the first of them, and how many there are. */
  clientsOf(nodeId: string): Promise<{ ids: number[]; total: number }>;
  /** Gives the id of a relay that is offline free, and forgets its key; false: it is not offline. */
  forget(nodeId: string): Promise<boolean>;
}

/** Claims of an agent's access token after its signature, audience and time were checked. */
export interface AccessTokenClaims {
  role: 'client';
  /** Client id. */
  sub: string;
  user_id: number | null;
  /** Credential generation of the client. */
  generation: number;
}

export interface AccessTokenVerifier {
  /** @throws {TunnoxError} `unauthenticated` when the token is not valid. */
  verify(token: string): Promise<AccessTokenClaims>;
}
