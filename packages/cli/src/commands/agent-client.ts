import type { CredentialKeeper } from '@tunnox/agent/identity/credential';
import { FixedClient } from '../credentials/fixed-client.ts';
import { SavedClient } from '../credentials/saved-client.ts';
import type { Settings } from '../settings.ts';
import { UsageError } from '../usage-error.ts';

export interface AgentClient {
  credentials: CredentialKeeper;
  /** Filled as things happen. */
  warnings: { code: string; message: string }[];
  /** Lets other processes use the client. */
  release: () => void;
}

/** Who a command's agent is: the client that was named, or a saved one, or a new one. */
export async function openAgentClient(settings: Settings): Promise<AgentClient> {
  const { server, apiKey, client: clientId, credentials: file } = settings;
  const warnings: AgentClient['warnings'] = [];
  if (clientId !== undefined) {
    if (apiKey === undefined) throw new UsageError('--client needs an API key: log in first with `tunnox login`');
    return { credentials: new FixedClient(file, server, { clientId, apiKey }, warnings), warnings, release: () => {} };
  }
  const saved = await SavedClient.take(file, {
    server,
    onReplaced: (oldId) =>
      warnings.push({
        code: 'client_replaced',
        message: `The server no longer knows client ${oldId}: a new one takes its place`,
      }),
    ...(apiKey === undefined ? {} : { apiKey }),
  });
  return { credentials: saved, warnings, release: () => saved.release() };
}
