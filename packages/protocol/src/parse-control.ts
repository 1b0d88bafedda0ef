import { MalformedControl } from './control-codec.ts';
import type { AgentMessage, ConfigProblem, RefusedCode, RelayMessage } from './control-message.ts';

/**
 * Reads a line that an agent sent.
 *
 * @returns The message with its known members only; null when its type is unknown, which is to be ignored.
 * @throws {MalformedControl} when it is not a JSON object with a type, or a member of a known type is wrong
 */
export function parseAgentMessage(line: string): AgentMessage | null {
  const fields = new Fields(line);
  switch (fields.type) {
    case 'hello':
      return {
        type: 'hello',
        protocol: fields.integer('protocol', 0),
        agent_version: fields.text('agent_version', 64),
        ticket: fields.text('ticket', TICKET_CHARS_MAX),
        instance_id: fields.matching('instance_id', ULID),
        connect_seq: fields.integer('connect_seq', 1),
        os: fields.text('os', 64),
      };
    case 'config_applied':
      return {
        type: 'config_applied',
        version: fields.integer('version', 0),
        problems: fields.list('problems', PROBLEMS_MAX, problem),
      };
    case 'health': {
      const detail = fields.optionalText('detail', 500);
      return {
        type: 'health',
        binding_id: fields.matching('binding_id', BINDING_ID),
        state: fields.oneOf('state', ['up', 'down']),
        ...(detail === undefined ? {} : { detail }),
      };
    }
    case 'bye':
      return { type: 'bye' };
    default:
      return null;
  }
}

/**
 * Reads a line that a relay sent.
 *
 * @returns The message with its known members only; null when its type is unknown, which is to be ignored.
 * @throws {MalformedControl} when it is not a JSON object with a type, or a member of a known type is wrong
 */
export function parseRelayMessage(line: string): RelayMessage | null {
  const fields = new Fields(line);
  switch (fields.type) {
    case 'welcome':
      return {
        type: 'welcome',
        node_id: fields.text('node_id', 64),
        heartbeat_ms: fields.integer('heartbeat_ms', 1),
        protocol: fields.integer('protocol', 0),
      };
    case 'refused': {
      const retryAfterMs = fields.optionalInteger('retry_after_ms', 0);
      return {
        type: 'refused',
        code: fields.oneOf('code', REFUSED_CODES),
        message: fields.text('message', MESSAGE_CHARS_MAX),
        ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
      };
    }
    case 'config_changed':
      return { type: 'config_changed', version: fields.integer('version', 0) };
    case 'drain':
      return { type: 'drain', deadline_ms: fields.integer('deadline_ms', 0) };
    case 'replaced':
    case 'disabled':
    case 'deleted':
    case 'disconnected':
    case 'claimed':
      return { type: fields.type, message: fields.text('message', MESSAGE_CHARS_MAX) };
    case 'limits':
      return {
        type: 'limits',
        bandwidth_bytes_per_s: fields.nullableInteger('bandwidth_bytes_per_s', 0),
        max_connections_per_mapping: fields.nullableInteger('max_connections_per_mapping', 0),
        traffic_exhausted: fields.flag('traffic_exhausted'),
        ...fields.optionalIds('waiting_bindings', WAITING_MAX),
      };
    default:
      return null;
  }
}

const TICKET_CHARS_MAX = 8192;
const MESSAGE_CHARS_MAX = 2000;
const PROBLEMS_MAX = 1000;
const WAITING_MAX = 1000;
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const BINDING_ID = /^(?:mapping|domain):[1-9][0-9]{0,15}$/;

/** Every code, as a record so that the compiler notices a forgotten one. */
const REFUSED_CODE_SET: Record<RefusedCode, true> = {
  bad_ticket: true,
  ticket_expired: true,
  stale_ticket: true,
  protocol_unsupported: true,
  malformed: true,
  replaced: true,
  disabled: true,
  deleted: true,
  claimed: true,
  draining: true,
  overloaded: true,
  unavailable: true,
};
const REFUSED_CODES = Object.keys(REFUSED_CODE_SET) as RefusedCode[];

function problem(fields: Fields): ConfigProblem {
  return {
    binding_id: fields.matching('binding_id', BINDING_ID),
    code: fields.matching('code', /^[a-z0-9_]{1,64}$/),
    message: fields.text('message', 500),
  };
}

/** Members of one JSON object, read with their bounds. */
class Fields {
  readonly #values: Record<string, unknown>;

  constructor(source: unknown) {
    const value = typeof source === 'string' ? parseJson(source) : source;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new MalformedControl('A control message must be a JSON object');
    }
    this.#values = value as Record<string, unknown>;
  }

  get type(): string {
    return this.text('type', 64);
  }

  text(name: string, charsMax: number): string {
    const value = this.#value(name);
    if (typeof value !== 'string' || value.length > charsMax) {
      throw new MalformedControl(`'${name}' must be a string of at most ${charsMax} characters`);
    }
    return value;
  }

  optionalText(name: string, charsMax: number): string | undefined {
    return this.#value(name) === undefined ? undefined : this.text(name, charsMax);
  }

  matching(name: string, pattern: RegExp): string {
    const value = this.#value(name);
    if (typeof value !== 'string' || !pattern.test(value)) {
      throw new MalformedControl(`'${name}' must match ${pattern.source}`);
    }
    return value;
  }

  /** The member with ids of bindings, or nothing when it is absent. */
  optionalIds<Name extends string>(name: Name, itemsMax: number): { [key in Name]?: string[] } {
    const value = this.#value(name);
    if (value === undefined) return {};
    if (!Array.isArray(value) || value.length > itemsMax || !value.every((id) => BINDING_ID.test(String(id)))) {
      throw new MalformedControl(`'${name}' must be a list of at most ${itemsMax} ids of bindings`);
    }
    return { [name]: value.map(String) } as { [key in Name]?: string[] };
  }

  integer(name: string, min: number): number {
    const value = this.#value(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min) {
      throw new MalformedControl(`'${name}' must be an integer of at least ${min}`);
    }
    return value;
  }

  optionalInteger(name: string, min: number): number | undefined {
    return this.#value(name) === undefined ? undefined : this.integer(name, min);
  }

  nullableInteger(name: string, min: number): number | null {
    return this.#value(name) === null ? null : this.integer(name, min);
  }

  flag(name: string): boolean {
    const value = this.#value(name);
    if (typeof value !== 'boolean') throw new MalformedControl(`'${name}' must be true or false`);
    return value;
  }

  oneOf<const T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.#value(name);
    const found = allowed.find((each) => each === value);
    if (found === undefined) throw new MalformedControl(`'${name}' must be one of ${allowed.join(', ')}`);
    return found;
  }

  list<T>(name: string, itemsMax: number, read: (fields: Fields) => T): T[] {
    const value = this.#value(name);
    if (!Array.isArray(value) || value.length > itemsMax) {
      throw new MalformedControl(`'${name}' must be a list of at most ${itemsMax} items`);
    }
    return value.map((item: unknown) => read(new Fields(typeof item === 'string' ? null : item)));
  }

  #value(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new MalformedControl('A control message must be JSON');
  }
}
