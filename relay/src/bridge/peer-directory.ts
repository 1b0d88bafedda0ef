import type { NodeAddress } from '@tunnox/domain/presence';

/** The relays that the control plane has named to this one: nobody else is dialled or let in. */
export interface PeerDirectory {
  /** The relay that has this node key; undefined when no relay has. Says nothing of its incarnation. */
  byFingerprint(fingerprint: string): NodeAddress | undefined;
  /**
   * Calls back when the list has changed.
   *
   * @returns Takes the listener off.
   */
  onChange(listener: () => void): () => void;
}
