import type { Duplex } from 'node:stream';

/** Where a connection comes from, and whom to tell what it proves to be. */
export interface Arrival {
  /** `ip:port` of the agent. */
  address: string;
  /** Called once when the agent's ticket has proved good. */
  authenticated: () => void;
}

/** Takes agents' connections over from a listener. */
export interface AgentAcceptor {
  accept(socket: Duplex & { bytesRead?: number }, arrival: Arrival): void;
}
