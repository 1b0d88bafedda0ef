/**
 * Version of the agent↔relay protocol. A relay speaks this version and the one before it, so that agents and
 * relays can be upgraded in any order.
 */
export const PROTOCOL_VERSION = 1;

/** Oldest protocol version that this build still speaks. */
export const PROTOCOL_VERSION_MIN = 1;
