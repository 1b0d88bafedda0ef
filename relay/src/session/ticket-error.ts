/** A ticket that does not admit its bearer. */
export class TicketError extends Error {
  readonly code: 'bad_ticket' | 'ticket_expired';

  constructor(code: 'bad_ticket' | 'ticket_expired', message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TicketError';
    this.code = code;
  }
}
