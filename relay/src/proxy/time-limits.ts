/**
 * Time-outs of visitors' connections. Each fails closed: what does not move is ended, so that silence costs a socket
 * for a bounded time only.
 */

/** A new connection that says nothing. */
export const FIRST_BYTE_MS = 30_000;

/** From the first byte of a head to its last: a head fits into a few packets. */
export const HEAD_MS = 10_000;

/** Between two requests of a connection. */
export const KEEP_ALIVE_MS = 60_000;

/** Look-up of the name and opening of a tunnel, all tries together. The agent's own dial time-out is shorter. */
export const OPEN_MS = 20_000;

/** From the end of a request to the head of its answer. Long: targets that poll or compute are nobody's mistake. */
export const ANSWER_MS = 600_000;

/** A request body must bring BODY_WINDOW_BYTES_MIN in each window while we are ready to read it. */
export const BODY_WINDOW_MS = 20_000;
export const BODY_WINDOW_BYTES_MIN = 2000;

/** A visitor that takes none, or next to none, of an answer that is ready for it. */
export const STALL_MS = 120_000;

/**
 * A visitor that has ended its side while nothing comes from the target: it may wait for a slow answer, but most
 * probably it is gone, which TCP does not tell before something is sent.
 */
export const HALF_CLOSED_MS = 60_000;

/** After an answer to a request that is still coming: reading on lets the answer arrive before the connection ends. */
export const LINGER_MS = 5000;

/** The same while the target still takes the body. */
export const LATE_BODY_MS = 60_000;
