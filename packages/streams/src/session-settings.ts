import { constants, type Settings } from 'node:http2';

/**
 * Window of one tunnel: what a reader that does not read costs at most on the receiving side, and what one tunnel may
 * have under way in one round trip (10 MB/s at 50 ms). Measured with 99 tunnels that are not read: 62 MB at 256 KiB,
 * 102 MB at 512 KiB, 179 MB at 1 MiB, 1.6 GB at 16 MiB; the speed of one tunnel on one machine is the same for all.
 */
export const STREAM_WINDOW_BYTES = 512 * 1024;

/**
 * Window of a whole session: 160 MB/s at 50 ms. Node gives it back as bytes arrive, not as they are read, so tunnels
 * that are not read do not close it.
 */
export const SESSION_WINDOW_BYTES = 8 * 1024 * 1024;

/** Tunnels at once on one agent session. A bridge session is kept to fewer by its pool. */
export const STREAMS_MAX = 20_000;

/**
 * Limit of Node's own accounting for one session, in MB: headers and queued frames of all its tunnels. Above it new
 * tunnels would fail with ENHANCE_YOUR_CALM, so it stands above what STREAMS_MAX idle tunnels need. It is a limit, not
 * an allocation.
 */
const SESSION_MEMORY_MB = 512;

/** Options that every session has, whichever side opened it. */
export const SESSION_OPTIONS = {
  maxSessionMemory: SESSION_MEMORY_MB,
  paddingStrategy: constants.PADDING_STRATEGY_NONE,
  // Until the peer's SETTINGS are here, nothing may be assumed to be too much.
  peerMaxConcurrentStreams: STREAMS_MAX,
  // Visitors that leave in the middle of an answer each cost a RST_STREAM. The default of 1 000 resets, then 33 a
  // second, would end a session with thousands of visitors.
  streamResetBurst: 1_000_000,
  streamResetRate: 100_000,
} as const;

/** SETTINGS frame of a side; `serves`: it accepts streams, so it allows extended CONNECT (RFC 8441). */
export function sessionSettings(serves: boolean): Settings {
  return {
    initialWindowSize: STREAM_WINDOW_BYTES,
    ...(serves ? { enableConnectProtocol: true, maxConcurrentStreams: STREAMS_MAX } : { enablePush: false }),
  };
}

/** What an end takes off the wire without its session having seen it: a full window and frames that have none. */
export const UNPROCESSED_BYTES_MAX = SESSION_WINDOW_BYTES + 4 * 1024 * 1024;
