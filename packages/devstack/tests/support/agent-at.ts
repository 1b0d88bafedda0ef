import { Agent } from '@tunnox/agent/agent';
import type { AgentSession } from '@tunnox/domain/agent-api';
import type { Stack } from '../../src/stack-file.ts';
import type { ManagedClient } from './managed-client.ts';

/** An agent inside the test. */
export interface AgentInside {
  stop(): Promise<void>;
}

/** Starts the agent of a client, attached to the relay of this id and to no other. Resolves when it is connected. */
export async function agentAt(stack: Stack, client: ManagedClient, nodeId: string): Promise<AgentInside> {
  let connected: () => void;
  let ended: (error: Error) => void;
  const ready = new Promise<void>((resolve, reject) => ([connected, ended] = [resolve, reject]));
  const agent = new Agent(
    {
      credentials: { current: () => client, save: async () => {}, forget: async () => false },
      emit: (event) => {
        if (event.type === 'connected') connected();
        if (event.type === 'ended') ended(new Error(event.ending.message));
      },
      // The control plane names all relays, best first; this agent hears of one.
      httpTransport: async (url, request) => {
        const response = await fetch(url, request);
        const text = await response.text();
        const answer = url.endsWith('/session') && response.ok ? only(JSON.parse(text) as AgentSession) : text;
        return { status: response.status, headers: response.headers, text: async () => answer };
      },
    },
    {
      server: stack.api_url,
      agentVersion: 'test',
      transport: 'tls',
      plaintext: false,
      allow: { rules: [], others: 'allowed' },
      insecureTargets: false,
      listenHost: '127.0.0.1',
    },
  );
  const only = (session: AgentSession): string =>
    JSON.stringify({ ...session, relays: session.relays.filter((relay) => relay.node_id === nodeId) });
  void agent.run();
  await ready;
  return { stop: () => agent.stop() };
}
