import type { TicketClaims } from '@tunnox/domain/agent-api';
import type { Hello, RefusedCode } from '@tunnox/protocol/control-message';
import { PROTOCOL_VERSION, PROTOCOL_VERSION_MIN } from '@tunnox/protocol/version';
import type { TicketVerifier } from './ports.ts';
import { TicketError } from './ticket-error.ts';

/** An agent that is turned away: becomes `refused` on its control stream. */
export class HelloRefused extends Error {
  readonly code: RefusedCode;

  constructor(code: RefusedCode, message: string) {
    super(message);
    this.name = 'HelloRefused';
    this.code = code;
  }
}

/** What a good hello proves. */
export interface Admitted {
  hello: Hello;
  claims: TicketClaims;
  clientId: number;
}

/**
 * Checks the first message of an agent: protocol version, ticket, relay group.
 *
 * @throws {HelloRefused}
 */
export async function checkHello(hello: Hello, verifier: TicketVerifier, group: string): Promise<Admitted> {
  if (hello.protocol < PROTOCOL_VERSION_MIN || hello.protocol > PROTOCOL_VERSION) {
    throw new HelloRefused(
      'protocol_unsupported',
      `This relay speaks protocol ${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION}, the agent ${hello.protocol}`,
    );
  }
  const claims = await verify(hello.ticket, verifier);
  if (claims.group !== group) {
    throw new HelloRefused('bad_ticket', `The ticket is for relays of group '${claims.group}'`);
  }
  return { hello, claims, clientId: Number(claims.sub) };
}

async function verify(ticket: string, verifier: TicketVerifier): Promise<TicketClaims> {
  try {
    return await verifier.verify(ticket);
  } catch (error) {
    if (error instanceof TicketError) throw new HelloRefused(error.code, error.message);
    throw error;
  }
}
