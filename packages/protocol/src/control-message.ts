/** First message of an agent on a control stream. */
export interface Hello {
  type: 'hello';
  protocol: number;
  agent_version: string;
  /** JWT from `POST /agent/v1/session`. */
  ticket: string;
  /** Random for each agent process: 26 characters. */
  instance_id: string;
  /** Counts the connects of this process, from 1. */
  connect_seq: number;
  os: string;
}

/** The agent has put configuration `version` into effect; what it could not do stands in `problems`. */
export interface ConfigApplied {
  type: 'config_applied';
  version: number;
  problems: ConfigProblem[];
}

export interface ConfigProblem {
  /** Binding that is affected, such as `mapping:1001`. */
  binding_id: string;
  /** Stable code, such as `port_in_use`. */
  code: string;
  message: string;
}

/** Health of a target as seen by the agent. */
export interface Health {
  type: 'health';
  binding_id: string;
  state: 'up' | 'down';
  detail?: string;
}

/** The agent leaves on purpose; its relay detaches it at once. */
export interface Bye {
  type: 'bye';
}

/** What an agent sends on its control stream. */
export type AgentMessage = Hello | ConfigApplied | Health | Bye;

export interface Welcome {
  type: 'welcome';
  node_id: string;
  /** Interval of HTTP/2 PINGs in milliseconds; two missed mean dead. */
  heartbeat_ms: number;
  protocol: number;
}

/** Codes with which a relay turns an agent away. */
export type RefusedCode =
  | 'bad_ticket'
  | 'ticket_expired'
  | 'stale_ticket'
  | 'protocol_unsupported'
  | 'malformed'
  | 'replaced'
  | 'disabled'
  | 'deleted'
  | 'claimed'
  | 'draining'
  | 'overloaded'
  | 'unavailable';

export interface Refused {
  type: 'refused';
  code: RefusedCode;
  message: string;
  /** Earliest next try in milliseconds; absent: do not try again with this ticket. */
  retry_after_ms?: number;
}

/** There is configuration `version` at the control plane; the agent fetches it over HTTPS. */
export interface ConfigChanged {
  type: 'config_changed';
  version: number;
}

/** The relay stops: connect to another one, let running tunnels finish until `deadline_ms` from now. */
export interface Drain {
  type: 'drain';
  deadline_ms: number;
}

/** Another process of the same client is attached now. */
export interface Replaced {
  type: 'replaced';
  message: string;
}

/** The client was switched off, deleted, or disconnected by its owner. */
export interface Ended {
  type: 'disabled' | 'deleted' | 'disconnected';
  message: string;
}

/** The anonymous client was claimed: take the new identity over HTTPS with the old code. */
export interface Claimed {
  type: 'claimed';
  message: string;
}

/** Limits now in force, for the agent's status view. */
export interface LimitsNotice {
  type: 'limits';
  /** Bytes a second over all tunnels of the user, null = unlimited. */
  bandwidth_bytes_per_s: number | null;
  max_connections_per_mapping: number | null;
  /** True while the month's traffic is used up and tunnels are refused. */
  traffic_exhausted: boolean;
  /** Bindings of this client that wait, because others of the user's have the places; absent: none. */
  waiting_bindings?: string[];
}

/** What a relay sends on a control stream. */
export type RelayMessage = Welcome | Refused | ConfigChanged | Drain | Replaced | Ended | Claimed | LimitsNotice;
