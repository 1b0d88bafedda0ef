import type { AgentSession } from '@tunnox/domain/agent-api';
import type { AgentBinding } from '@tunnox/domain/agent-config';
import type { ConfigProblem, LimitsNotice } from '@tunnox/protocol/control-message';
import type { Cause } from '@tunnox/protocol/causes';
import type { Transport } from './link/candidates.ts';
import type { AgentState, Ending } from './state.ts';

/** What an agent tells whoever runs it. */
export type AgentEvent =
  | { type: 'state'; state: AgentState }
  /**
   * The control plane has answered a session call. `newClient`: as another client than was asked for; `claimedFrom`: as
   * what the client that was asked for has become by a claim.
   */
  | { type: 'session'; session: AgentSession; newClient: boolean; claimedFrom: number | null }
  | { type: 'connected'; nodeId: string; region: string; transport: Transport }
  /** A try failed, or the connection was lost: the agent goes on by itself. `code` is the API's, if it spoke. */
  | { type: 'setback'; code: string; message: string }
  /** Nothing is tried for `delayMs`, unless something says that a try may succeed sooner. */
  | { type: 'waiting'; delayMs: number }
  /** A configuration is in effect. */
  | { type: 'config'; version: number; bindings: AgentBinding[]; problems: ConfigProblem[] }
  /** The visiting connection has come or gone. */
  | { type: 'visiting'; connected: boolean }
  | { type: 'limits'; limits: LimitsNotice }
  /** A visitor, or a local connection, could not be served. */
  | { type: 'tunnel_failed'; bindingId: string; cause: Cause; message: string }
  | { type: 'ended'; ending: Ending };
