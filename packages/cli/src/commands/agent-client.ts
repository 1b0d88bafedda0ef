import type { CredentialKeeper } from '@tunnox/agent/identity/credential';
import { FixedClient } from '../credentials/fixed-client.ts';
import { SavedClient } from '../credentials/saved-client.ts';
import type { Settings } from '../settings.ts';
import type { Io } from '../io.ts';
import { promptSecret } from '../prompt-secret.ts';

export interface AgentClient {
  credentials: CredentialKeeper;
  /** Filled as things happen. */
  warnings: { code: string; message: string }[];
  /** Lets other processes use the client. */
  release: () => void;
}

/** Who a command's agent is: the client that was named, or a saved one, or a new one. */
export async function openAgentClient(settings: Settings, io: Io): Promise<AgentClient> {
  const { server, apiKey, client: clientId, credentials: file } = settings;
  const warnings: AgentClient['warnings'] = [];
  if (clientId !== undefined) {
    if (apiKey === undefined) {
      const saved = await SavedClient.named(file, server, clientId, () => askForCode(clientId, io));
      return { credentials: saved, warnings, release: () => saved.release() };
    }
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

/** Not from a pipe: whoever starts a service may leave it open for ever. */
async function askForCode(clientId: number, io: Io): Promise<string> {
  const given = io.env['TUNNOX_AUTH_CODE'] ?? '';
  if (given !== '' || io.stdin.isTTY !== true) return given;
  return promptSecret(`Code of client ${clientId}: `, io);
}
