import type { ProcessGroup } from './process-group.ts';

/**
 * One way from a visitor to the target that is measured: a direct connection, a plain proxy, a tunnel. Subjects of
 * layer `tcp` carry any bytes to the target's TCP or HTTP port; those of layer `http` understand requests.
 */
export interface Subject {
  /** Shown in tables, such as `tunnox a tls`. */
  name: string;
  layer: 'tcp' | 'http';
  /** Where the visitor connects to reach the target's byte port; absent on layer `http`. */
  bytes?: Endpoint;
  /** Where the visitor connects to reach the target's HTTP port. */
  http: HttpEndpoint;
  /** Processes that carry the traffic: role (`relay`, `agent`, `proxy`) → pids. */
  processes: Readonly<Record<string, readonly number[]>>;
}

export interface Endpoint {
  host: string;
  port: number;
}

export interface HttpEndpoint extends Endpoint {
  /** Host header of requests; the address if absent. */
  hostHeader?: string;
}

/** Ports of the target process. */
export interface Target {
  /** Takes one command byte, see `load/target.ts`. */
  bytes: Endpoint;
  http: Endpoint;
}

/** Something that is measured: starts what it needs in front of the target and says how to reach it. */
export interface Peer {
  name: string;
  start(context: PeerContext): Promise<PeerStart>;
}

export interface PeerContext {
  target: Target;
  /** Owns what the peer starts. */
  group: ProcessGroup;
}

export type PeerStart =
  | { kind: 'ready'; version: string; subjects: Subject[] }
  /** Not installed or not usable here; the reason goes into the result. */
  | { kind: 'missing'; reason: string };
