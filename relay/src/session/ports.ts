import type { TicketClaims } from '@tunnox/domain/agent-api';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { CloseCode } from '@tunnox/domain/relay-api';
import type { ConfigProblem } from '@tunnox/protocol/control-message';

/** Verifies tickets without asking anybody, with the keys from registration. */
export interface TicketVerifier {
  /** @throws {TicketError} with code `bad_ticket` or `ticket_expired` */
  verify(ticket: string): Promise<TicketClaims>;
}

/** One agent session as the cluster names it. */
export interface AttachedClient {
  client_id: number;
  instance_id: string;
  connect_seq: number;
  generation: number;
}

export type AttachOutcome =
  | { kind: 'accepted'; policy: ClientPolicy }
  | { kind: 'refused'; code: CloseCode; message: string }
  /** The control plane is away: the session stands on its ticket alone; the authority keeps trying. */
  | { kind: 'unreachable' };

/** Tells the control plane who is attached here. Calls are batched behind it. */
export interface AttachmentAuthority {
  attach(client: AttachedClient): Promise<AttachOutcome>;
  detach(client: AttachedClient): void;
  configApplied(clientId: number, version: number, problems: ConfigProblem[]): void;
}

/** What the control plane's word does to the sessions of this relay; implemented by the session registry. */
export interface SessionCommands {
  /** Stores the policy and tells the agent when its configuration version rose or its limits changed. */
  applyPolicy(policy: ClientPolicy): void;
  closeClient(order: {
    client_id: number;
    instance_id: string | null;
    connect_seq: number | null;
    code: CloseCode;
    message: string;
  }): void;
  /** Tickets of the client below this generation count no more, also where the client never was. */
  voidTickets(order: { client_id: number; below_generation: number; code: CloseCode; message: string }): void;
  attached(): AttachedClient[];
}
