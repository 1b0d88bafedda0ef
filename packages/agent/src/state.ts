/** Why an agent has ended for good; it does not come back by itself. */
export type EndCode =
  /** `stop()` was called. */
  | 'stopped'
  /** Another process runs as this client now. */
  | 'replaced'
  /** The client was claimed and its new identity has been handed out already. */
  | 'claimed'
  | 'deleted'
  /** The control plane does not accept the credential. */
  | 'unauthenticated'
  /** The control plane refuses to serve this client or to make a new one: see `apiCode` and the message. */
  | 'rejected'
  /** The other side speaks no protocol version that this build knows. */
  | 'protocol_unsupported';

/** How an agent ended. */
export interface Ending {
  code: EndCode;
  /** For the person who runs the agent. */
  message: string;
  /** Error code of the control plane, when its answer ended the agent. */
  apiCode?: string;
}

/**
 * Where the agent's serving connection is. `attempt` counts the failures since the last connection that stood.
 */
export type AgentState =
  | { kind: 'idle' }
  /** Asking the control plane for a ticket: there is none that relays would take. */
  | { kind: 'session'; attempt: number }
  /** Dialling relays with the ticket at hand. */
  | { kind: 'connecting'; attempt: number }
  | { kind: 'connected'; attempt: number; nodeId: string }
  /** Waiting before the next try; `next` says what is tried. */
  | { kind: 'backing-off'; attempt: number; next: 'session' | 'connecting'; delayMsMin: number }
  | { kind: 'ended'; ending: Ending };

/** What happens to it. */
export type AgentInput =
  | { kind: 'start' }
  | { kind: 'session_ready' }
  /** The control plane did not answer, or asks to come later (`retryAfterMs`, 0 = does not say). */
  | { kind: 'session_failed'; retryAfterMs: number }
  | { kind: 'welcomed'; nodeId: string }
  /** No relay took the connection. */
  | { kind: 'connect_failed'; retryAfterMs: number }
  /**
   * The ticket is of no use any more: expired, stale, or its client was switched off or claimed. `stoodMs`: of the
   * connection on which that was said.
   */
  | { kind: 'ticket_rejected'; stoodMs?: number }
  /** The connection is gone after `stoodMs`. */
  | { kind: 'lost'; stoodMs: number }
  /** The relay drains: find another one while the old connection serves on. */
  | { kind: 'moving' }
  /** The wait is over, or something says that the next try may succeed now (wake-up from sleep). */
  | { kind: 'waited' }
  | { kind: 'final'; ending: Ending };

/**
 * A connection that stood for this long resets the back-off. A shorter one counts as a failed try, or a relay that
 * welcomes and drops would be hammered.
 */
export const STABLE_MS = 10_000;

/**
 * The agent's life as a pure function: the next state. An ended agent stays ended.
 *
 * @throws {Error} when `input` cannot happen in `state`: a fault of the driver.
 */
export function transition(state: AgentState, input: AgentInput): AgentState {
  if (state.kind === 'ended') return state;
  if (input.kind === 'final') return { kind: 'ended', ending: input.ending };
  switch (state.kind) {
    case 'idle':
      if (input.kind === 'start') return { kind: 'session', attempt: 0 };
      break;
    case 'session':
      if (input.kind === 'session_ready') return { kind: 'connecting', attempt: state.attempt };
      if (input.kind === 'session_failed') return backingOff(state.attempt + 1, 'session', input.retryAfterMs);
      break;
    case 'connecting':
      if (input.kind === 'welcomed') return { kind: 'connected', attempt: state.attempt, nodeId: input.nodeId };
      if (input.kind === 'connect_failed') return backingOff(state.attempt + 1, 'connecting', input.retryAfterMs);
      if (input.kind === 'ticket_rejected') return newTicket(state.attempt);
      break;
    case 'connected':
      if (input.kind === 'lost') return reconnect(state.attempt, input.stoodMs);
      if (input.kind === 'moving') return { kind: 'connecting', attempt: 0 };
      if (input.kind === 'ticket_rejected') {
        return newTicket((input.stoodMs ?? 0) >= STABLE_MS ? 0 : state.attempt);
      }
      break;
    case 'backing-off':
      if (input.kind === 'waited') return { kind: state.next, attempt: state.attempt };
      break;
    default:
      return state satisfies never;
  }
  throw new Error(`Cannot take '${input.kind}' in state '${state.kind}'`);
}

/** The first try after a loss comes at once. */
function reconnect(attempt: number, stoodMs: number): AgentState {
  if (stoodMs >= STABLE_MS) return { kind: 'connecting', attempt: 0 };
  return attempt === 0 ? { kind: 'connecting', attempt: 1 } : backingOff(attempt + 1, 'connecting', 0);
}

/**
 * The first rejection is met with a new ticket at once; repeated ones wait, or a relay and a control plane that
 * disagree would keep each other busy.
 */
function newTicket(attempt: number): AgentState {
  return attempt === 0 ? { kind: 'session', attempt: 1 } : backingOff(attempt + 1, 'session', 0);
}

function backingOff(attempt: number, next: 'session' | 'connecting', delayMsMin: number): AgentState {
  return { kind: 'backing-off', attempt, next, delayMsMin };
}
