import type { NodeAddress } from '@tunnox/domain/presence';
import { makeUlid, ulidTimeMs } from '@tunnox/domain/ulid';
import type { NodeLoad, NodeProfile, NodeRecord } from '../services/live-ports.ts';

/** One relay as its RelayNode object keeps it. */
export interface NodeState extends NodeRecord {
  /** It was told to go, or goes by itself: a session after a lost lease does not make it `online` again. */
  draining: boolean;
  /** It has a session whose end was not heard of. */
  inSession: boolean;
  /** False while the directory and Postgres have not been told of the last change. */
  reported: boolean;
}

const NO_LOAD: NodeLoad = { clients: 0, tunnels: 0, cpu: 0, memory_bytes: 0, bandwidth_bytes_per_s: 0 };

/** A new run of the node: its incarnation is greater than every one before, also when the clock went back. */
export function registered(held: NodeState | null, profile: NodeProfile, nowMs: number, random: Uint8Array): NodeState {
  const timeMs = held === null ? nowMs : Math.max(nowMs, ulidTimeMs(held.incarnation) + 1);
  return {
    profile,
    incarnation: makeUlid(timeMs, random),
    status: 'starting',
    draining: false,
    inSession: false,
    startedAt: nowMs,
    lastSeenAt: nowMs,
    lostAt: null,
    load: NO_LOAD,
    reported: false,
  };
}

/** When the lease ends unless the node gives another sign of life. */
export function leaseEndsAt(state: NodeState, sessionSeenAt: number, leaseMs: number): number {
  return Math.max(state.lastSeenAt, sessionSeenAt) + leaseMs;
}

/** The state with another status; the same state if it has it already. */
export function withStatus(state: NodeState, status: NodeState['status']): NodeState {
  return state.status === status ? state : { ...state, status, reported: false };
}

/** What others are told of the node. */
export function addressOf(state: NodeState): NodeAddress {
  const { profile, incarnation, status } = state;
  const { ports, public_address, internal_address } = profile;
  return {
    node_id: profile.node_id,
    incarnation,
    group: profile.group,
    region: profile.region,
    bridge: hostPort(internal_address, ports.bridge),
    agent_tcp: hostPort(public_address, ports.agent_tcp),
    agent_ws: hostPort(public_address, ports.agent_ws),
    fingerprint: profile.fingerprint,
    status,
  };
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
