import { DurableObject } from 'cloudflare:workers';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { Presence } from '@tunnox/domain/presence';
import type { CloseCode } from '@tunnox/domain/relay-api';
import type { PresenceRecord } from '@tunnox/route-store/route-store';
import type { Env } from '../env.ts';
import { relayNodeStub } from '../repositories/object-stubs.ts';
import { CLOSE_MESSAGES } from '../services/close-messages.ts';
import type {
  AttachEvent,
  AttachReply,
  ConfigProblem,
  DetachEvent,
  ExpelEvent,
  PushOutcome,
} from '../services/live-ports.ts';
import { attach, detach, expel, NEVER_ATTACHED, type PresenceState } from './attach-rule.ts';
import { objectServices } from './object-services.ts';
import { storedState, type StoredState } from './object-state.ts';
import { mayFollow, outcomeOf } from './presence-push.ts';
import { VersionWaiters } from './version-waiters.ts';

const SCHEMA_VERSION = 1;

const OFFLINE: PushOutcome = { state: 'offline', problems: [] };

interface ClientState extends PresenceState {
  /** Newest policy that was pushed or answered; serves attaches while Postgres is away. */
  policy: ClientPolicy | null;
  /** The agent's last report about its configuration. */
  applied: { version: number; problems: ConfigProblem[] };
}

export interface AppliedReport {
  client_id: number;
  node_id: string;
  incarnation: string;
  version: number;
  problems: ConfigProblem[];
}

/** Owner of where one client's agent session is. The rules are in attach-rule.ts; a client has no timer. */
export class ClientPresence extends DurableObject<Env> {
  readonly #state: StoredState<ClientState>;
  readonly #waiters = new VersionWaiters<PushOutcome>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const initial: ClientState = { ...NEVER_ATTACHED, policy: null, applied: { version: 0, problems: [] } };
    this.#state = storedState(ctx.storage, SCHEMA_VERSION, initial);
  }

  /** @returns With `accepted`, the policy that was known last (null: none). */
  async attach(event: AttachEvent): Promise<AttachReply> {
    const held = this.#state.load();
    const verdict = attach(held, event, Date.now());
    if (verdict.kind === 'refused') return verdict;
    if (verdict.state !== held) this.#change(event.client_id, { ...held, ...verdict.state });
    if (verdict.replaced !== null) {
      await this.#close(verdict.replaced, 'replaced', CLOSE_MESSAGES.replaced);
    }
    const policy = this.#state.load().policy;
    return { kind: 'accepted', policy: policy?.generation === event.generation ? policy : null };
  }

  detach(clientId: number, event: DetachEvent): void {
    const held = this.#state.load();
    const next = detach(held, event, Date.now());
    if (next !== held) this.#change(clientId, { ...held, ...next });
  }

  /** Where the client is, as relays and the route store are told; whether that node lives is the node's to say. */
  locate(): PresenceRecord {
    const { generation, order, presence } = this.#state.load();
    return { generation, order, presence };
  }

  /** Keeps a policy that was read from Postgres for times when that is away. */
  remember(policy: ClientPolicy): void {
    const held = this.#state.load();
    if (mayFollow(held.policy, policy)) this.#state.save({ ...held, policy });
  }

  /** Sends the policy to the client's relay; waits up to `waitMs` until the agent has applied its configuration. */
  async push(policy: ClientPolicy, waitMs: number): Promise<PushOutcome> {
    const held = this.#state.load();
    const { presence } = held;
    // A client that was never attached needs nothing kept.
    if (presence === null && held.policy === null) return OFFLINE;
    if (mayFollow(held.policy, policy)) this.#state.save({ ...held, policy });
    if (presence === null) return OFFLINE;
    // Waiting begins before sending: the answer may be faster than the call.
    const settled = this.#settled(policy.config_version, waitMs);
    const node = relayNodeStub(this.env, presence.node_id);
    const newest = this.#state.load().policy ?? policy;
    const sent = await node.push(presence.incarnation, { type: 'policy', policy: newest });
    return sent ? settled : OFFLINE;
  }

  /** Ends the session that the event is about, if it is attached. */
  async expel(clientId: number, event: ExpelEvent, code: CloseCode, message: string): Promise<void> {
    const held = this.#state.load();
    const next = expel(held, event, Date.now());
    if (next === held) return;
    this.#change(clientId, { ...held, ...next });
    if (held.presence !== null && next.presence === null) await this.#close(held.presence, code, message);
  }

  /** The agent's word about its configuration, by its relay. */
  async configApplied(report: AppliedReport): Promise<void> {
    const held = this.#state.load();
    const { presence } = held;
    if (presence?.node_id !== report.node_id || presence.incarnation !== report.incarnation) return;
    this.#waiters.settle(report.version, outcomeOf(report.problems));
    const rose = report.version > held.applied.version;
    this.#state.save({ ...held, applied: { version: report.version, problems: report.problems } });
    if (!rose) return;
    // For people to look at: the report counts also while Postgres is away.
    await objectServices(this.env)
      .clients.recordApplied(report.client_id, report.version)
      .catch(() => {});
  }

  async #settled(version: number, waitMs: number): Promise<PushOutcome> {
    const { applied } = this.#state.load();
    if (applied.version >= version) return outcomeOf(applied.problems);
    const outcome = waitMs > 0 ? await this.#waiters.wait(version, waitMs) : null;
    return outcome ?? { state: 'pending', problems: [] };
  }

  #change(clientId: number, state: ClientState): void {
    this.#state.save(state);
    const { store } = objectServices(this.env);
    if (store === null) return;
    const { generation, order, presence } = state;
    // Copies are allowed to be late: a relay that meets an old one is told so by the node and asks the owner.
    this.ctx.waitUntil(store.putPresence(clientId, { generation, order, presence }).catch(() => false));
  }

  async #close(presence: Presence, code: CloseCode, message: string): Promise<void> {
    const { client_id, instance_id, connect_seq } = presence;
    const order = { type: 'close_client', client_id, instance_id, connect_seq, code, message } as const;
    const tell = async (): Promise<boolean> =>
      relayNodeStub(this.env, presence.node_id).push(presence.incarnation, order);
    // The place is lost already, so nobody would say it again: an object that is being restarted is asked twice.
    await tell().catch(tell);
  }
}
