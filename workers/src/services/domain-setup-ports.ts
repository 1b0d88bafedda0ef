/** Where a custom domain leads. */
export type DnsFinding =
  /** To the relays: by an alias under a base domain, or by their addresses. */
  | 'here'
  /** Some of its addresses are others'. */
  | 'partly'
  | 'elsewhere'
  /** It has no address. */
  | 'missing'
  /** Its name servers gave no answer. */
  | 'failed';

/** What a look at the DNS of a custom domain has found. */
export interface SetupSeen {
  /** RFC 3339. */
  checkedAt: string;
  dns: { finding: DnsFinding; found: string[] };
  /** `found`: where the name of the proofs for certificates leads. */
  delegation: { delegated: boolean; found: string[] };
}

/** A custom domain at which the platform looks. */
export interface SetupDomain {
  domainId: number;
  fullDomain: string;
}

export interface DomainSetupRepository {
  /** Takes up to `limit` custom domains whose look is due; others do not get them for `leaseS`. */
  claimDue(limit: number, leaseS: number): Promise<SetupDomain[]>;
  /** Writes down what was seen, and when the next look is due. */
  record(looks: { domainId: number; seen: SetupSeen }[]): Promise<void>;
  /** Addresses of the relays that are not offline. */
  relayAddresses(): Promise<string[]>;
}
