/** A zone of ours in which a record for a proof can stand. */
export interface ChallengeZone {
  zoneId: number;
  domain: string;
}

/** How far a TXT record for a proof is on its way; null: there is none. */
export interface ChallengeRecord {
  status: 'pending' | 'running' | 'active' | 'error';
  lastError: string | null;
  /** Seconds since the provider has it; null: it does not. */
  activeS: number | null;
}

export interface ChallengeRepository {
  /** The closest zone in which the name lies: of the operators, or of the tenant; null: none. */
  zoneOf(name: string, userId: number | null): Promise<ChallengeZone | null>;
  /**
   * Lets a TXT record stand in a zone beside those that stand there.
   *
   * @returns `made`: the zone has something to do; `excluded`: a CNAME stands there; `no_zone`: it was deleted.
   */
  putRecord(record: ChallengeRecordWish): Promise<'made' | 'there' | 'excluded' | 'no_zone'>;
  record(wish: ChallengeRecordWish): Promise<ChallengeRecord | null>;
  putToken(token: { certificateId: number; token: string; host: string; keyAuthorization: string }): Promise<void>;
  /** Takes everything back that was made for a certificate. @returns Zones that have something to do. */
  withdraw(certificateId: number): Promise<number[]>;
  /** The same for certificates without an order. */
  withdrawLost(): Promise<number[]>;
  /** IP addresses at which visitors reach relays. */
  relayAddresses(): Promise<string[]>;
}

export interface ChallengeRecordWish {
  zoneId: number;
  name: string;
  value: string;
  certificateId: number;
}
