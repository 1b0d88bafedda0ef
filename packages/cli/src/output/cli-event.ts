/** One binding as programs get to see it. */
export interface ShownBinding {
  binding_id: string;
  protocol: string;
  /** Public address, or null. */
  url: string | null;
  /** What is reachable by it. */
  target: string | null;
  /** Set when this agent listens there. */
  local_port?: number;
}

/** Where to find it, for people: a public address, a local port, or a word that there is neither. */
export function addressOf({ url, local_port, binding_id }: ShownBinding): string {
  if (url !== null) return url;
  return local_port === undefined ? `private ${binding_id}` : `localhost:${local_port}`;
}

/**
 * What `--json` prints, one object a line. Members are added in later versions, never changed: programs ignore what
 * they do not know.
 */
export type CliEvent =
  /** Looking for the server or for a relay. */
  | { event: 'connecting' }
  | { event: 'connected'; node_id: string; client_id: number; region: string; transport: string }
  /** The connection is gone, or could not be made: it is tried again by itself. */
  | { event: 'reconnecting'; code: string; message: string }
  /** Usable from now on. Once. */
  | {
      event: 'ready';
      /** Best address; null when there is none (a local port, or nothing yet with `run`). */
      url: string | null;
      /** HTTP first, then HTTPS. */
      urls: string[];
      client_id: number;
      node_id: string;
      target?: string;
      /** `forward`: where to connect on this machine. */
      local_port?: number;
      /** Everything that the server has given this client and that is enabled, also from earlier commands. */
      bindings: ShownBinding[];
    }
  /** The server has changed what this client does. */
  | { event: 'config'; version: number; bindings: ShownBinding[] }
  /** The client was claimed: it is another one now, with the same tunnels, and goes on. */
  | { event: 'claimed'; client_id: number; previous_client_id: number; message: string }
  /** Something needs attention; the command goes on. */
  | { event: 'problem'; code: string; message: string; binding_id?: string }
  /** What a `problem` of this code (and binding) has told is over. */
  | { event: 'resolved'; code: string; message: string; binding_id?: string }
  | { event: 'replaced'; message: string }
  /** The end, with an exit code other than 0. */
  | { event: 'error'; code: string; message: string }
  /** The end on request. */
  | { event: 'closed' }
  /** Answer of a command that does not stay: `login`, `status`, `version`. */
  | { event: 'result'; [member: string]: unknown };
