import type { Framing } from './framing.ts';

/** A request head that was checked and taken apart. */
export interface RequestHead {
  /** Index after the head in the buffer that was parsed. */
  end: number;
  /** As sent: methods are case-sensitive. */
  method: string;
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  minorVersion: number;
  /** Host as sent, with its port; never empty. */
  host: string;
  framing: Framing;
  /** Whether the visitor wants to send more requests on this connection. */
  keepAlive: boolean;
  /** Protocols to change to, as sent; null: none, or one that is never passed on (h2c). */
  upgrade: string | null;
  /** The visitor waits for 100 before it sends the body. */
  expectContinue: boolean;
  /** The visitor can read trailer fields (`TE: trailers`). */
  acceptsTrailers: boolean;
  /**
   * What is passed on: the request line in origin-form with HTTP/1.1, and the end-to-end field lines as sent, Host
   * included; each with its CRLF.
   */
  lines: string;
  /** `Forwarded`, `X-Forwarded-*` and `X-Real-IP` lines as sent; empty if there are none. */
  forwarding: string;
  /** Values of `Via`, joined by commas; empty if there are none. */
  via: string;
}
