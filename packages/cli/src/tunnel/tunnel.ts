import type { ManagementApi } from '@tunnox/api-client/management-api';

/** A tunnel that stands at the server; the agent has yet to serve it. */
export interface Tunnel {
  bindingId: string;
  /** Best address for people; null for a local port. */
  url: string | null;
  /** HTTP first, then HTTPS. */
  urls: string[];
  /** What it leads to. */
  target: string;
  /** Set when this agent listens at a port of this machine. */
  localPort?: number;
  /** Takes back what was made for it at the server; absent when it stood there before. @throws {ApiError} */
  undo?: () => Promise<void>;
}

/** Makes sure that a tunnel stands at the server. */
export type EnsureTunnel = (api: ManagementApi, clientId: number) => Promise<Tunnel>;
