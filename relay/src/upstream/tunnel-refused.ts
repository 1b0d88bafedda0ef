import { CAUSES, type Cause } from '@tunnox/protocol/causes';

/** A tunnel that was not opened, and why. */
export class TunnelRefused extends Error {
  readonly tunnelCause: Cause;

  constructor(tunnelCause: Cause, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TunnelRefused';
    this.tunnelCause = tunnelCause;
  }

  /** HTTP status that goes with the cause. */
  get status(): number {
    return CAUSES[this.tunnelCause].status;
  }

  /** Whether another upstream may be tried: nothing has reached the target. */
  get safeToRetry(): boolean {
    return CAUSES[this.tunnelCause].safeToRetry;
  }
}
