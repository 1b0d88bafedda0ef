import { isDeepStrictEqual } from 'node:util';
import { DurableObject } from 'cloudflare:workers';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { Presence } from '@tunnox/domain/presence';
import type { CloseCode } from '@tunnox/domain/relay-api';
import type { PresenceRecord } from '@tunnox/route-store/route-store';
import type { Env } from '../env.ts';
import { relayNodeStub, usageLedgerStub } from '../repositories/object-stubs.ts';
import { CLOSE_MESSAGES } from '../services/close-messages.ts';
import { LEDGER_WAIT_MS, type LedgerShare } from '../services/ledger-ports.ts';
import type {
  AttachEvent,
  AttachReply,
  ConfigProblem,
  DetachEvent,
  ExpelEvent,
  PushOutcome,
  SessionTime,
} from '../services/live-ports.ts';
import {
  isUnlimited,
  needsLedger,
  shareIn,
  toLedgerEntry,
  withoutOthers,
  withShare,
} from '../services/policy-share.ts';
import { within } from '../services/within.ts';
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
  /** The newest word of the user's ledger; absent: it has said nothing. */
  share?: LedgerShare | undefined;
  /** The agent's last report about its configuration. */
  applied: {
    version: number;
    problems: ConfigProblem[];
    /** It has not reached Postgres; absent: it has. */
    unrecorded?: boolean;
  };
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
  #recording: Promise<void> = Promise.resolve();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const initial: ClientState = { ...NEVER_ATTACHED, policy: null, applied: { version: 0, problems: [] } };
    this.#state = storedState(ctx.storage, SCHEMA_VERSION, initial);
  }

  /** @returns With `accepted`, the policy that was known last (null: none). */
  async attach(event: AttachEvent): Promise<AttachReply> {
    const held = this.#state.load();
    const now = Date.now();
    const verdict = attach(held, event, now);
    if (verdict.kind === 'refused') return verdict;
    if (verdict.state !== held) this.#change(event.client_id, { ...held, ...verdict.state });
    if (verdict.replaced !== null) {
      await this.#close(verdict.replaced, 'replaced', CLOSE_MESSAGES.replaced);
    }
    const policy = this.#newest();
    return {
      kind: 'accepted',
      policy: policy?.generation === event.generation ? policy : null,
      order: verdict.state.order,
      attachedAtMs: Date.parse(verdict.state.presence?.attached_at ?? ''),
      seenAtMs: now,
    };
  }

  /** @returns From when to when the session was attached; null: the word is late. */
  detach(clientId: number, event: DetachEvent): SessionTime | null {
    const held = this.#state.load();
    const now = Date.now();
    const next = detach(held, event, now);
    if (next !== held) this.#change(clientId, { ...held, ...next });
    return held.presence !== null && next.presence === null ? timeOf(held.presence, now) : null;
  }

  /** Where the client is, as relays and the route store are told; whether that node lives is the node's to say. */
  locate(): PresenceRecord {
    const { generation, order, presence } = this.#state.load();
    return { generation, order, presence };
  }

  /** Keeps a policy that was read from Postgres for times when that is away. */
  remember(policy: ClientPolicy): void {
    const { presence } = this.#keep(policy);
    const newest = this.#newest() ?? policy;
    // Who brings it has answered the relay with it, and something newer was pushed, or could not be, meanwhile.
    if (presence !== null && !isSamePolicy(newest, policy)) this.ctx.waitUntil(this.#send(presence, newest));
  }

  /** The user's ledger has decided anew. @returns false when the client is not attached. */
  async takeShare(share: LedgerShare): Promise<boolean> {
    const held = this.#state.load();
    const { presence } = held;
    if (presence === null) return false;
    if (share.version <= (held.share?.version ?? 0)) return true;
    this.#state.save({ ...held, share });
    const policy = this.#newest();
    // Without a policy, or with one of other limits, it goes with the next.
    if (policy?.limits.ledger?.version !== share.version) return true;
    return await this.#send(presence, policy);
  }

  /** Sends the policy to the client's relay; waits up to `waitMs` until the agent has applied its configuration. */
  async push(policy: ClientPolicy, waitMs: number): Promise<PushOutcome> {
    const held = this.#state.load();
    const { presence } = held;
    // A client that was never attached needs nothing kept.
    if (presence === null && held.policy === null) return OFFLINE;
    this.#keep(policy);
    if (presence === null) return OFFLINE;
    await this.#askLedger(policy, presence, held.order);
    // Waiting begins before sending: the answer may be faster than the call.
    const settled = this.#settled(policy.config_version, waitMs);
    const sent = await this.#send(presence, this.#newest() ?? policy);
    return sent ? settled : OFFLINE;
  }

  /** Ends the session that the event is about, if it is attached. */
  async expel(clientId: number, event: ExpelEvent, code: CloseCode, message: string): Promise<void> {
    const held = this.#state.load();
    const now = Date.now();
    const next = expel(held, event, now);
    if (next === held) return;
    this.#change(clientId, { ...held, ...next });
    if (held.presence === null || next.presence !== null) return;
    const ended = { ...held.presence, ...timeOf(held.presence, now) };
    // For people to look at: what is not written now, the sweep finds.
    this.ctx.waitUntil(
      objectServices(this.env)
        .clients.recordDetached([ended])
        .catch(() => {}),
    );
    await this.#close(held.presence, code, message);
  }

  /** The agent's word about its configuration, by its relay. */
  async configApplied(report: AppliedReport): Promise<void> {
    const held = this.#state.load();
    const { presence } = held;
    if (presence?.node_id !== report.node_id || presence.incarnation !== report.incarnation) return;
    this.#waiters.settle(report.version, outcomeOf(report.problems));
    const { version, problems } = report;
    const same = version === held.applied.version && isDeepStrictEqual(problems, held.applied.problems);
    if (same && held.applied.unrecorded !== true) return;
    this.#state.save({ ...held, applied: { version, problems, unrecorded: true } });
    // One after the other, so that the last word is the last one written.
    this.#recording = this.#recording.then(() => this.#recordApplied(report.client_id));
    await this.#recording;
  }

  /** For people to look at: a report counts also while Postgres is away, and is written with the next one then. */
  async #recordApplied(clientId: number): Promise<void> {
    const { version, problems, unrecorded } = this.#state.load().applied;
    if (unrecorded !== true) return;
    try {
      await objectServices(this.env).clients.recordApplied(clientId, version, problems);
    } catch {
      return;
    }
    const held = this.#state.load();
    if (held.applied.version !== version || !isDeepStrictEqual(held.applied.problems, problems)) return;
    this.#state.save({ ...held, applied: { version, problems } });
  }

  async #settled(version: number, waitMs: number): Promise<PushOutcome> {
    const { applied } = this.#state.load();
    if (applied.version >= version) return outcomeOf(applied.problems);
    const outcome = waitMs > 0 ? await this.#waiters.wait(version, waitMs) : null;
    return outcome ?? { state: 'pending', problems: [] };
  }

  /** Keeps a policy, and what its ledger said with it, unless something newer is here. */
  #keep(policy: ClientPolicy): ClientState {
    const held = this.#state.load();
    const told = shareIn(policy);
    const share = told !== null && told.version > (held.share?.version ?? 0) ? told : held.share;
    const next = { ...held, share, policy: mayFollow(held.policy, policy) ? policy : held.policy };
    this.#state.save(next);
    return next;
  }

  /** The policy that is in force, with the newest word of the ledger. */
  #newest(): ClientPolicy | null {
    const { policy, share } = this.#state.load();
    return policy === null ? null : withoutOthers(withShare(policy, share ?? null));
  }

  /**
   * Tells the user's ledger of a changed policy and keeps what it says. It fails open: a limit that is not shared out
   * for a moment harms nobody, a tunnel that is refused harms its user.
   */
  async #askLedger(policy: ClientPolicy, { node_id, incarnation }: Presence, order: number): Promise<void> {
    const { user_id: userId } = policy;
    const { share: known } = this.#state.load();
    // One whose limits were lifted has to forget them.
    const knows = known !== undefined && !isUnlimited(known.limits);
    if (userId === null || (!needsLedger(policy) && !knows)) return;
    const entry = toLedgerEntry(policy, { node_id, incarnation, order });
    const asked = usageLedgerStub(this.env, userId)
      .admit([entry])
      .catch(() => []);
    const shares = await within(asked, LEDGER_WAIT_MS);
    if (shares === null) {
      this.ctx.waitUntil(asked.then((late) => Promise.all(late.map((share) => this.takeShare(share)))));
      return;
    }
    const [share] = shares;
    const held = this.#state.load();
    if (share !== undefined && share.version > (held.share?.version ?? 0)) this.#state.save({ ...held, share });
  }

  #send({ node_id, incarnation }: Presence, policy: ClientPolicy): Promise<boolean> {
    return relayNodeStub(this.env, node_id).push(incarnation, { type: 'policy', policy });
  }

  #change(clientId: number, state: ClientState): void {
    const before = this.#state.load();
    this.#state.save(state);
    const userId = state.policy?.user_id ?? null;
    const hasLeft = before.presence !== null && state.presence === null;
    if (hasLeft && state.share !== undefined && userId !== null) {
      // When it does not hear it, it finds out as soon as somebody needs the place.
      this.ctx.waitUntil(
        usageLedgerStub(this.env, userId)
          .leave(clientId, state.order)
          .catch(() => {}),
      );
    }
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

/** Whether a relay that has the one needs not be told the other. */
function isSamePolicy(a: ClientPolicy, b: ClientPolicy): boolean {
  return a.config_version === b.config_version && a.limits.ledger?.version === b.limits.ledger?.version;
}

function timeOf(presence: Presence, detachedAtMs: number): SessionTime {
  return { attachedAtMs: Date.parse(presence.attached_at), detachedAtMs };
}
