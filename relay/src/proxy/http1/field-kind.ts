import { FOLDED } from './char-class.ts';

/** Field names with a meaning for a proxy. Every other one is `other` and passed on untouched. */
export const FieldKind = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  /** Meant for this hop only, or dangerous to pass on: always dropped. */
  hopByHop: 5,
  te: 6,
  upgrade: 7,
  expect: 8,
  /** `Forwarded`, `X-Forwarded-*`, `X-Real-IP`: written by us. */
  forwarding: 9,
  via: 10,
  date: 11,
} as const;

export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind];

const NAMES: [string, FieldKind][] = [
  ['host', FieldKind.host],
  ['content-length', FieldKind.contentLength],
  ['transfer-encoding', FieldKind.transferEncoding],
  ['connection', FieldKind.connection],
  ['keep-alive', FieldKind.hopByHop],
  ['proxy-connection', FieldKind.hopByHop],
  ['proxy-authorization', FieldKind.hopByHop],
  ['proxy-authenticate', FieldKind.hopByHop],
  ['proxy-authentication-info', FieldKind.hopByHop],
  // Settings of an upgrade to h2c, which is never passed on.
  ['http2-settings', FieldKind.hopByHop],
  // A CGI program would see it as the variable HTTP_PROXY.
  ['proxy', FieldKind.hopByHop],
  ['te', FieldKind.te],
  ['upgrade', FieldKind.upgrade],
  ['expect', FieldKind.expect],
  ['forwarded', FieldKind.forwarding],
  ['x-real-ip', FieldKind.forwarding],
  ['via', FieldKind.via],
  ['date', FieldKind.date],
];

const X_FORWARDED = Buffer.from('x-forwarded-');
const UNDERSCORE = 0x5f;

interface Candidate {
  name: Buffer;
  first: number;
  kind: FieldKind;
}

const LONGEST = Math.max(...NAMES.map(([name]) => name.length));

/** Candidates by the length of the name. */
const BY_LENGTH: Candidate[][] = Array.from({ length: LONGEST + 1 }, (_, length) =>
  NAMES.filter(([name]) => name.length === length).map(([name, kind]) => ({
    name: Buffer.from(name),
    first: name.charCodeAt(0),
    kind,
  })),
);

/**
 * Kind of the field name in `bytes[start, end)`. A name that becomes a known one only when `_` is read as `-` is
 * `hopByHop`: it is never obeyed and never passed on.
 */
export function fieldKindOf(bytes: Uint8Array, start: number, end: number): FieldKind {
  const length = end - start;
  const first = FOLDED[bytes[start] as number];
  if (length <= LONGEST) {
    const candidates = BY_LENGTH[length] as Candidate[];
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i] as Candidate;
      if (candidate.first === first && matches(bytes, start, candidate.name)) {
        return spelled(bytes, start, end, candidate.kind);
      }
    }
  }
  if (first === X_FORWARDED[0] && length > X_FORWARDED.length && matches(bytes, start, X_FORWARDED)) {
    return spelled(bytes, start, end, FieldKind.forwarding);
  }
  return FieldKind.other;
}

function matches(bytes: Uint8Array, start: number, name: Buffer): boolean {
  for (let i = 1; i < name.length; i++) {
    if (FOLDED[bytes[start + i] as number] !== name[i]) return false;
  }
  return true;
}

function spelled(bytes: Uint8Array, start: number, end: number, kind: FieldKind): FieldKind {
  for (let i = start; i < end; i++) if (bytes[i] === UNDERSCORE) return FieldKind.hopByHop;
  return kind;
}
