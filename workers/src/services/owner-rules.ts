/** How records follow relays and domains by themselves. */
export const OWNER_RULES = {
  /** Label between a group's (or region's) name and the base domain: `eu.relay.example.com`. Nobody may choose it. */
  relayLabel: 'relay',
  /** Name under each base domain to which custom domains lead; `*.example.com` has it, and nobody may choose it. */
  targetLabel: 'relays',
  /** Group to which custom domains lead at the apex of their zone, unless the operators' zone names another. */
  defaultGroup: 'default',
  /** A relay that dies is forgotten by resolvers within this. */
  relayTtlS: 60,
  domainTtlS: 300,
  /** A relay that comes back sooner than this after it has gone waits for the rest, if others of its name are there. */
  comebackS: 30,
  /** What seems to be the death of most relays at once is not believed for so long. */
  doubtS: 900,
} as const;
