import { isIP } from 'node:net';
import { splitList } from './http1/connection-options.ts';
import { findField } from './http1/find-field.ts';
import type { RequestHead } from './http1/request-head.ts';

/** Our name in `Via` (RFC 9110, section 7.6.3). */
const PSEUDONYM = 'tunnox';

/** A request may pass relays this many times: a tunnel whose target is another tunnel is odd, not wrong. */
const HOPS_MAX = 5;

/** Peers whose `X-Forwarded-*` and `Forwarded` are believed. */
export interface TrustedPeers {
  /** @param address Bare IP address. */
  allows(address: string): boolean;
}

export interface Peer {
  /** IP address of the other end of the connection; IPv4 in dotted form. */
  address: string;
  port: number;
  /** The visitor came by TLS. */
  secure: boolean;
}

/**
 * Writes who the visitor is into requests of one connection. What a peer that is not trusted says about that is
 * replaced; a trusted proxy's word is kept and continued.
 *
 * @see RFC 7239; RFC 9110, section 7.6.3
 */
export class Forwarding {
  readonly #peer: Peer;
  readonly #trusted: TrustedPeers | null;
  readonly #peerIsTrusted: boolean;
  #lastHost = '';
  #lastLines = '';

  /** @param trusted null: nobody is */
  constructor(peer: Peer, trusted: TrustedPeers | null) {
    this.#peer = peer;
    this.#trusted = trusted;
    this.#peerIsTrusted = trusted !== null && trusted.allows(peer.address);
  }

  /** The visitor as `ip:port`; behind a trusted proxy the address that it names, with port 0. */
  visitor(head: RequestHead): string {
    const address = this.visitorAddress(head);
    return withPort(address, address === this.#peer.address ? this.#peer.port : 0);
  }

  visitorAddress(head: RequestHead): string {
    if (!this.#peerIsTrusted || head.forwarding === '') return this.#peer.address;
    const named = splitList(findField(head.forwarding, 'x-forwarded-for') ?? '').reverse();
    for (const address of named) {
      if (isIP(address) === 0) break;
      if (this.#trusted?.allows(address) !== true) return address;
    }
    return this.#peer.address;
  }

  /** Whether the visitor itself uses TLS. */
  isSecure(head: RequestHead): boolean {
    if (!this.#peerIsTrusted || head.forwarding === '') return this.#peer.secure;
    const proto = findField(head.forwarding, 'x-forwarded-proto');
    return proto === null ? this.#peer.secure : proto.toLowerCase() === 'https';
  }

  /** Field lines to add to a request, each with its CRLF. */
  lines(head: RequestHead): string {
    if (this.#peerIsTrusted && head.forwarding !== '') return viaLine(head) + this.#continuedLines(head);
    if (head.host !== this.#lastHost) {
      this.#lastHost = head.host;
      this.#lastLines = flat(this.#freshLines(head.host));
    }
    return viaLine(head) + this.#lastLines;
  }

  #freshLines(host: string): string {
    const proto = this.#peer.secure ? 'https' : 'http';
    return (
      `X-Forwarded-For: ${this.#peer.address}\r\nX-Forwarded-Proto: ${proto}\r\nX-Forwarded-Host: ${host}\r\n` +
      `Forwarded: ${this.#element(host)}\r\n`
    );
  }

  #continuedLines({ forwarding, host }: RequestHead): string {
    const { address, secure } = this.#peer;
    const before = findField(forwarding, 'x-forwarded-for');
    const forwarded = findField(forwarding, 'forwarded');
    let lines = `X-Forwarded-For: ${before === null ? address : `${before}, ${address}`}\r\n`;
    lines += `Forwarded: ${forwarded === null ? '' : `${forwarded}, `}${this.#element(host)}\r\n`;
    if (findField(forwarding, 'x-forwarded-proto') === null) {
      lines += `X-Forwarded-Proto: ${secure ? 'https' : 'http'}\r\n`;
    }
    if (findField(forwarding, 'x-forwarded-host') === null) lines += `X-Forwarded-Host: ${host}\r\n`;
    return lines + withoutListed(forwarding);
  }

  /** One `forwarded-element`. */
  #element(host: string): string {
    const { address, secure } = this.#peer;
    const node = isIP(address) === 6 ? `"[${address}]"` : address;
    return `for=${node};host="${host}";proto=${secure ? 'https' : 'http'}`;
  }
}

/** The same text in one piece: it is written with every request of the connection. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** A request that has come by relays too often runs in a circle. */
export function isLooping(via: string): boolean {
  if (!via.includes(PSEUDONYM)) return false;
  const hops = splitList(via).filter((hop) => hop.split(/[ \t]+/)[1] === PSEUDONYM);
  return hops.length >= HOPS_MAX;
}

/** `ip:port`, IPv6 in brackets. */
function withPort(address: string, port: number): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Lines that came before stand before: several lines are one list. */
function viaLine(head: RequestHead): string {
  return head.minorVersion === 1 ? VIA_1_1 : VIA_1_0;
}

const VIA_1_1 = `Via: 1.1 ${PSEUDONYM}\r\n`;
const VIA_1_0 = `Via: 1.0 ${PSEUDONYM}\r\n`;

/** A trusted proxy's other lines (`X-Forwarded-Port`, `X-Real-IP`, …) as they are. */
function withoutListed(forwarding: string): string {
  return forwarding.replace(/^(?:x-forwarded-for|forwarded):.*\r\n/gim, '');
}
