/** What still stands in the DNS of a relay that goes. */
export interface LeavingRecords {
  /** Records of its addresses that are on their way out. */
  left: number;
  /** Of them, those that the provider has refused to remove for now. */
  failed: number;
}

/** Records that follow relays and domains. Each method that changes some answers with the zones concerned. */
export interface OwnerRecordRepository {
  followRelays(): Promise<number[]>;
  /** @param userId Whose domains; null: everybody's. */
  followDomains(userId: number | null): Promise<number[]>;
  /** Whether the user has connected a zone. */
  hasZones(userId: number): Promise<boolean>;
  /** Zones of the user (null: of the operators) with rows that are due now. */
  dueZones(userId: number | null): Promise<number[]>;
  leaving(nodeId: string): Promise<LeavingRecords>;
  /** Relays that are kept in the DNS though they seem dead: too many at once. */
  doubted(): Promise<string[]>;
  /** Removes zones and credentials of users that were deleted. @returns Names of the zones. */
  forgetUsers(): Promise<string[]>;
}
