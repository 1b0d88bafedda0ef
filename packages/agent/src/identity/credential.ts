/** What an agent shows to the control plane to be a client. All absent: it becomes a new anonymous client. */
export interface AgentCredential {
  clientId?: number;
  /** The client's own code; goes with `clientId`. */
  authCode?: string;
  /** Key of the user: for a client of this user, or to make a new managed one. */
  apiKey?: string;
}

/** Where the credential comes from and where a new one is kept. */
export interface CredentialKeeper {
  /** What to show at the next session call. */
  current(): AgentCredential;
  /**
   * The control plane made a client, or handed out the identity of a claimed one (`claimedFrom`; null: not). The code is
   * not shown again once it was used: resolves when it is kept.
   */
  save(identity: { clientId: number; authCode: string; claimedFrom: number | null }): Promise<void>;
  /**
   * What `current()` gave was claimed, and its new code is given to nobody any more: the agent ends.
   *
   * @param newClientId What the client is now; null: gone, or not known.
   */
  superseded?(newClientId: number | null): Promise<void>;
  /**
   * The control plane does not accept what `current()` gave.
   *
   * @param reason `not_found`: the key is good, but the client is not known or not the user's.
   * @returns True when `current()` gives something else now; false ends the agent. Not true for ever.
   */
  forget(reason: 'unauthenticated' | 'not_found'): Promise<boolean>;
}
