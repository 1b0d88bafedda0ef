import type { Presence } from '@tunnox/domain/presence';
import type { CloseCode } from '@tunnox/domain/relay-api';
import { CLOSE_MESSAGES } from '../services/close-messages.ts';
import type { AttachEvent, DetachEvent, ExpelEvent } from '../services/live-ports.ts';

/** What is remembered of one client's place in the cluster. */
export interface PresenceState {
  /** Lowest credential generation that may attach. */
  generation: number;
  /** Rises with every change of `presence`, follows the clock: compared by those who hold copies. */
  order: number;
  presence: Presence | null;
  /** The last session that ended: what is said about it afterwards is late. */
  ended: { instance_id: string; connect_seq: number } | null;
}

export type AttachVerdict =
  | {
      kind: 'accepted';
      /** The same object when nothing changes. */
      state: PresenceState;
      /** Session that lost its place and has to be told; null: there was none, or its relay knows. */
      replaced: Presence | null;
    }
  | { kind: 'refused'; code: CloseCode; message: string };

/** A client that was never attached. */
export const NEVER_ATTACHED: PresenceState = { generation: 1, order: 0, presence: null, ended: null };

/**
 * Decides who holds a client's place. Of the same instance the higher `connect_seq` wins; of two instances the one
 * that attached later; an announcement never outbids. A lower credential generation loses against everything.
 *
 * @param nowMs Milliseconds since 1970.
 */
export function attach(state: PresenceState, event: AttachEvent, nowMs: number): AttachVerdict {
  if (event.generation < state.generation) {
    return { kind: 'refused', code: 'stale_ticket', message: CLOSE_MESSAGES.stale_ticket };
  }
  if (!wins(state, event)) {
    return { kind: 'refused', code: 'replaced', message: CLOSE_MESSAGES.replaced };
  }
  const { presence } = state;
  if (presence !== null && isSame(presence, event)) return { kind: 'accepted', state, replaced: null };
  const { mode: _mode, ...place } = event;
  return {
    kind: 'accepted',
    replaced: presence !== null && mustBeTold(presence, event) ? presence : null,
    state: {
      generation: event.generation,
      order: nextOrder(state, nowMs),
      presence: { ...place, attached_at: new Date(nowMs).toISOString() },
      ended: null,
    },
  };
}

/** The state after a session ended; the same state when the word is late and disturbs nobody. */
export function detach(state: PresenceState, event: DetachEvent, nowMs: number): PresenceState {
  const { presence } = state;
  const ended = { instance_id: event.instance_id, connect_seq: event.connect_seq };
  if (presence === null) {
    const late = state.ended?.instance_id === ended.instance_id && state.ended.connect_seq >= ended.connect_seq;
    return late ? state : { ...state, ended };
  }
  const same =
    presence.node_id === event.node_id &&
    presence.incarnation === event.incarnation &&
    presence.instance_id === event.instance_id &&
    presence.connect_seq === event.connect_seq;
  return same ? { ...state, presence: null, order: nextOrder(state, nowMs), ended } : state;
}

/**
 * The state after the client was disabled, claimed, rotated or disconnected. A session that began afterwards stays:
 * the word may come late and twice.
 */
export function expel(state: PresenceState, event: ExpelEvent, nowMs: number): PresenceState {
  const generation = Math.max(state.generation, event.generation);
  const { presence } = state;
  const ends =
    presence !== null &&
    (presence.generation < generation ||
      (event.attachedUntilMs !== null && Date.parse(presence.attached_at) <= event.attachedUntilMs));
  if (!ends) return generation === state.generation ? state : { ...state, generation };
  return {
    generation,
    order: nextOrder(state, nowMs),
    presence: null,
    ended: { instance_id: presence.instance_id, connect_seq: presence.connect_seq },
  };
}

function wins(state: PresenceState, event: AttachEvent): boolean {
  const { presence, ended } = state;
  if (presence === null) {
    return ended === null || ended.instance_id !== event.instance_id || event.connect_seq > ended.connect_seq;
  }
  // A session that began with an older credential cannot hold the place against a newer one.
  if (presence.generation < event.generation) return true;
  if (presence.instance_id !== event.instance_id) return event.mode === 'attach';
  if (event.connect_seq !== presence.connect_seq) return event.connect_seq > presence.connect_seq;
  // The same connection again: its relay repeats itself, or goes on under a new incarnation.
  return event.node_id === presence.node_id && event.incarnation >= presence.incarnation;
}

/** The relay repeats itself: after a lost answer, or because it announces everything. */
function isSame(presence: Presence, event: AttachEvent): boolean {
  return (
    presence.instance_id === event.instance_id &&
    presence.connect_seq === event.connect_seq &&
    presence.node_id === event.node_id &&
    presence.incarnation === event.incarnation &&
    presence.generation === event.generation
  );
}

/** Not where the winner itself was: the same connection, told again or under its relay's new incarnation. */
function mustBeTold(presence: Presence, event: AttachEvent): boolean {
  return presence.instance_id !== event.instance_id || presence.connect_seq !== event.connect_seq;
}

function nextOrder(state: PresenceState, nowMs: number): number {
  return Math.max(state.order + 1, nowMs);
}
