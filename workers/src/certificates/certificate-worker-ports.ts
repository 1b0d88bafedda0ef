/** Which certificates there shall be. */
export interface CertificateWants {
  /**
   * Makes rows for base domains and custom domains that have none, and empties those that are for nothing any more.
   *
   * @returns How many were made.
   */
  settle(baseDomains: readonly string[]): Promise<number>;
  /** Removes what nobody needs any more. */
  clear(): Promise<void>;
}
