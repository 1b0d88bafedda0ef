import type { Duplex } from 'node:stream';
import type { Binding } from '@tunnox/domain/binding';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { Meter } from '../upstream/upstream.ts';

/** A tunnel that may be opened. `release()` is called once, when its stream is closed or was never opened. */
export interface Admitted {
  readonly meter: Meter;
  /**
   * Puts the user's bandwidth bucket into the stream and gives it back.
   *
   * @throws {TunnelRefused} when the tunnel was switched off, or the traffic used up, while it was being opened; the
   *   stream is destroyed
   */
  shape(stream: Duplex): Duplex;
  release(): void;
}

/** The decisions of the agent's relay: enabled, access rules, connection limit, traffic, bandwidth, counting. */
export interface Admission {
  /**
   * @param policy null while the control plane has not answered since the agent attached by ticket: then only the
   *   binding speaks.
   * @param visitor `ip:port`
   * @throws {TunnelRefused} `disabled`, `denied`, `connection_limit`, `traffic_limit`, `active_limit`
   */
  admit(clientId: number, policy: ClientPolicy | null, binding: Binding, visitor: string): Admitted;
}
