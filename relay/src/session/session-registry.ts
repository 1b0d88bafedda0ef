import type { ClientPolicy } from '@tunnox/domain/policy';
import type { CloseCode } from '@tunnox/domain/relay-api';
import type { RelayMessage } from '@tunnox/protocol/control-message';
import type { Clock } from '../clock.ts';
import type { AgentSession } from './agent-session.ts';
import { ClientMemory } from './client-memory.ts';
import type { AttachedClient, SessionCommands } from './ports.ts';

type CloseOrder = Parameters<SessionCommands['closeClient']>[0];
type VoidOrder = Parameters<SessionCommands['voidTickets']>[0];

/** Why a client may not be attached. */
export interface Objection {
  code: CloseCode;
  message: string;
}

/** Time for the tunnels of a session to finish whose agent goes on: elsewhere, or as what its client was claimed for. */
const REPLACED_LINGER_MS = 60_000;

export interface SessionRegistryDeps {
  clock: Clock;
}

/** The agent sessions of this relay, one for each client at most. */
export class SessionRegistry implements SessionCommands {
  /** A client's credential has come to its end: what else of it runs at this relay is to be closed too. */
  onClientEnded: (clientId: number) => void = () => {};

  readonly #clock: Clock;
  readonly #attached = new Map<number, AgentSession>();
  /** Sessions whose attach is under way. */
  readonly #arriving = new Set<AgentSession>();
  /** Sessions that serve no more but have tunnels to finish. */
  readonly #ending = new Set<AgentSession>();
  readonly #memory = new ClientMemory();
  #drain: { promise: Promise<void>; finish: () => void } | null = null;

  constructor(deps: SessionRegistryDeps) {
    this.#clock = deps.clock;
  }

  /** True from the call of `drain()` on. */
  get draining(): boolean {
    return this.#drain !== null;
  }

  /** The client's session; undefined when it is not attached here. */
  get(clientId: number): AgentSession | undefined {
    const session = this.#attached.get(clientId);
    return session === undefined || session.closed ? undefined : session;
  }

  /**
   * Applies the attach rule to what stands here: of one instance the higher `connect_seq` wins, of two instances the
   * later attach.
   *
   * @returns Why the newcomer loses; null when the control plane is to be asked.
   */
  objection(newcomer: AttachedClient): Objection | null {
    const standing = this.#attached.get(newcomer.client_id);
    if (standing === undefined) return null;
    if (standing.client.generation > newcomer.generation) return STALE;
    const same = standing.client.instance_id === newcomer.instance_id;
    return same && standing.client.connect_seq >= newcomer.connect_seq ? OVERTAKEN : null;
  }

  /** What is known against a credential of the client, without asking anybody; null: nothing. */
  credentialObjection(clientId: number, generation: number): Objection | null {
    const standing = this.#attached.get(clientId);
    if (standing !== undefined && standing.client.generation > generation) return STALE;
    return this.#memory.denial(clientId, generation);
  }

  /** What is remembered against a newcomer: counts only while the control plane cannot be asked. */
  rememberedObjection(newcomer: AttachedClient): Objection | null {
    return this.#memory.denial(newcomer.client_id, newcomer.generation);
  }

  /** Makes orders of the control plane reach a session whose attach is under way. */
  arriving(session: AgentSession): void {
    this.#arriving.add(session);
  }

  /**
   * Lets a session serve, in place of the one before it. Gives it the last known policy when it has none.
   *
   * @param confirmed The control plane has accepted it: what was remembered against the client is over.
   */
  attach(session: AgentSession, confirmed: boolean): void {
    const { client } = session;
    this.#arriving.delete(session);
    const before = this.#attached.get(client.client_id);
    this.#attached.set(client.client_id, session);
    if (session.policy === null) {
      const known = before?.policy ?? this.#memory.policy(client.client_id);
      if (known !== null) session.applyPolicy(known, false);
    }
    if (confirmed) this.#memory.forget(client.client_id);
    if (before === undefined) return;
    // The same process has come back over another connection: nobody needs to be told.
    const silent = before.client.instance_id === client.instance_id;
    this.#retire(before, silent ? null : { type: 'replaced', message: REPLACED }, REPLACED_LINGER_MS);
  }

  /** The session's connection has ended. True when it was the one that served: the client is away now. */
  left(session: AgentSession): boolean {
    const clientId = session.client.client_id;
    this.#arriving.delete(session);
    this.#ending.delete(session);
    const served = this.#attached.get(clientId) === session;
    if (served) {
      this.#attached.delete(clientId);
      if (session.policy !== null) this.#memory.remember(session.policy);
    }
    this.#finishDrainWhenEmpty();
    return served;
  }

  applyPolicy(policy: ClientPolicy): void {
    const session = this.#attached.get(policy.client_id);
    if (session === undefined) this.#memory.remember(policy);
    else session.applyPolicy(policy, true);
    for (const arriving of this.#arriving) {
      if (arriving.client.client_id === policy.client_id) arriving.applyPolicy(policy, false);
    }
  }

  /** The traffic of these clients' users is used up, or there is some again. */
  tellTraffic(clientIds: Iterable<number>, exhausted: boolean): void {
    for (const clientId of clientIds) this.#attached.get(clientId)?.tellTraffic(exhausted);
  }

  closeClient(order: CloseOrder): void {
    const { client_id: clientId, code, message } = order;
    const standing = this.#attached.get(clientId);
    const final = code !== 'replaced' && code !== 'disconnected';
    if (final) {
      if (standing !== undefined && concerns(order, standing.client)) {
        this.#memory.deny(clientId, standing.client.generation, { code, message });
      }
      // What an earlier session had to finish ends with the credential.
      for (const session of this.#ending) if (session.client.client_id === clientId) session.cut();
    }
    for (const session of [standing, ...this.#arriving]) {
      if (session === undefined || !concerns(order, session.client)) continue;
      if (session === standing) {
        // The order comes from the owner of the client's presence: it need not be told that the client is gone.
        this.#attached.delete(clientId);
        if (session.policy !== null) this.#memory.remember(session.policy);
      }
      this.#arriving.delete(session);
      const goesOn = code === 'replaced' || code === 'claimed';
      this.#retire(session, lastWord(code, message), goesOn ? REPLACED_LINGER_MS : 0);
    }
    if (final) this.onClientEnded(clientId);
  }

  voidTickets({ client_id: clientId, below_generation: generation, code, message }: VoidOrder): void {
    this.#memory.deny(clientId, generation - 1, { code, message });
    this.onClientEnded(clientId);
  }

  attached(): AttachedClient[] {
    return [...this.#attached.values()].map((session) => session.client);
  }

  /**
   * Tells every agent to go to another relay. Resolves when all have gone and their tunnels have finished, or when the
   * time is up and what is left has been cut. A second call changes nothing and gives the same promise.
   */
  drain(deadlineMs: number): Promise<void> {
    this.#drain ??= this.#startDrain(deadlineMs);
    const { promise } = this.#drain;
    this.#finishDrainWhenEmpty();
    return promise;
  }

  /** Ends every session with its tunnels at once; agents see a lost connection. */
  stop(): void {
    for (const session of [...this.#attached.values(), ...this.#arriving, ...this.#ending]) session.cut();
  }

  snapshot(): { sessions: number; arriving: number; ending: number; tunnels: number } {
    let tunnels = 0;
    for (const session of this.#attached.values()) tunnels += session.tunnels;
    for (const session of this.#ending) tunnels += session.tunnels;
    return { sessions: this.#attached.size, arriving: this.#arriving.size, ending: this.#ending.size, tunnels };
  }

  #startDrain(deadlineMs: number): { promise: Promise<void>; finish: () => void } {
    let finish = (): void => {};
    const promise = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const timer = this.#clock.timer(deadlineMs, () => {
      this.stop();
      finish();
    });
    void promise.then(() => timer.cancel());
    for (const session of this.#attached.values()) session.send({ type: 'drain', deadline_ms: deadlineMs });
    return { promise, finish };
  }

  #finishDrainWhenEmpty(): void {
    if (this.#attached.size === 0 && this.#ending.size === 0) this.#drain?.finish();
  }

  #retire(session: AgentSession, word: RelayMessage | null, lingerMs: number): void {
    if (!session.gone) this.#ending.add(session);
    session.end(word, lingerMs);
  }
}

const REPLACED = 'Another process of this client is connected now';
const OVERTAKEN: Objection = { code: 'replaced', message: 'A later connection of this agent is attached' };
const STALE: Objection = { code: 'stale_ticket', message: 'The client has got a newer credential' };

function concerns(order: CloseOrder, client: AttachedClient): boolean {
  return (
    client.client_id === order.client_id &&
    (order.instance_id === null || client.instance_id === order.instance_id) &&
    (order.connect_seq === null || client.connect_seq <= order.connect_seq)
  );
}

function lastWord(code: CloseCode, message: string): RelayMessage {
  // A stale ticket is no end: the agent fetches another one and comes again.
  return code === 'stale_ticket' ? { type: 'refused', code, message } : { type: code, message };
}
