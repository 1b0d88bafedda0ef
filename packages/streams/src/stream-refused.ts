import type { Cause } from '@tunnox/protocol/causes';

/** A tunnel that the other side did not open, or that was lost before it answered. */
export class StreamRefused extends Error {
  readonly tunnelCause: Cause;

  constructor(tunnelCause: Cause, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StreamRefused';
    this.tunnelCause = tunnelCause;
  }
}
