import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startAgent, type AgentProcess } from '@tunnox/testing/agent';
import type { RunningStack } from '@tunnox/testing/stack';
import type { ProcessGroup } from '../process-group.ts';

/** `plain` is HTTP/2 without TLS, which relays take from loopback. */
export type Transport = 'tls' | 'ws' | 'plain';

export interface ManagedClient {
  client_id: number;
  auth_code: string;
}

const ARGUMENTS: Readonly<Record<Transport, readonly string[]>> = {
  tls: ['--transport', 'tls'],
  ws: ['--transport', 'ws'],
  plain: ['--transport', 'tls', '--insecure'],
};

/** Runs `tunnox run` as a managed client: what it serves was set by API. */
export async function runManaged(
  group: ProcessGroup,
  platform: RunningStack,
  { client_id, auth_code }: ManagedClient,
  transport: Transport,
): Promise<{ agent: AgentProcess; nodeId: string }> {
  const dir = await group.tempDir();
  const file = join(dir, 'tunnox.yaml');
  await writeFile(file, `client_id: ${client_id}\nauth_code: ${JSON.stringify(auth_code)}\n`, { mode: 0o600 });
  const args = ['run', '-c', file, ...ARGUMENTS[transport]];
  const agent = await startAgent(platform, args, undefined, { TUNNOX_CONFIG_DIR: dir });
  group.defer(() => agent.stop());
  const { node_id: nodeId } = await agent.ready();
  return { agent, nodeId };
}
