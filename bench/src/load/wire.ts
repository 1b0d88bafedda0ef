/** First byte of a connection to the target's byte port: what the target does from then on. */
export const COMMAND = {
  /** Sends for as long as the connection lives. */
  download: 0x44,
  /** Reads, and answers one byte for each ACK_BYTES. */
  upload: 0x55,
  /** Sends every byte back, this one included. */
  echo: 0x45,
} as const;

/** Small enough that the last unacknowledged part does not show in a result, large enough to cost nothing. */
export const ACK_BYTES = 256 * 1024;

/** Body of `/s`: the size of nginx's welcome page, by which the tunnels of others are usually measured. */
export const SMALL_BODY_BYTES = 615;
/** Body of `/l`. */
export const LARGE_BODY_BYTES = 64 * 1024;
