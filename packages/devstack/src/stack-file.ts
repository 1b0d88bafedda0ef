import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '@tunnox/certificates/key-files';
import type { RelayPorts } from './port-plan.ts';

/** One relay in stack.json; addresses are `host:port`. */
export interface StackRelay {
  node_id: string;
  pid: number;
  agent_tcp: string;
  agent_ws: string;
  http: string;
  https: string;
  bridge: string;
  metrics: string;
  /** `from-to` */
  public_ports: string;
}

/** `stack.json`: how programs find a platform that is ready. */
export interface Stack {
  api_url: string;
  operator_key: string;
  base_domain: string;
  ca_file: string;
  relays: StackRelay[];
  /** Null without the demo. */
  demo_url: string | null;
  postgres_url: string;
  pids: Record<string, number>;
}

export function stackFilePath(home: string): string {
  return join(home, 'stack.json');
}

export async function writeStackFile(home: string, stack: Stack): Promise<void> {
  await replaceFile(stackFilePath(home), `${JSON.stringify(stack, null, 2)}\n`, 0o600);
}

export async function removeStackFile(home: string): Promise<void> {
  await rm(stackFilePath(home), { force: true });
}

export function stackRelay(nodeId: string, pid: number, ports: RelayPorts): StackRelay {
  const at = (port: number) => `127.0.0.1:${port}`;
  return {
    node_id: nodeId,
    pid,
    agent_tcp: at(ports.agentTcp),
    agent_ws: at(ports.agentWs),
    http: at(ports.http),
    https: at(ports.https),
    bridge: at(ports.bridge),
    metrics: at(ports.metrics),
    public_ports: `${ports.publicFrom}-${ports.publicTo}`,
  };
}
