import { join } from 'node:path';
import type { ApiCaller } from '@tunnox/api-client/api-caller';
import { ApiError } from '@tunnox/api-client/api-error';
import { everyItem } from '@tunnox/api-client/every-item';
import { ManagementApi } from '@tunnox/api-client/management-api';
import { readTextFile, replaceFile } from '@tunnox/certificates/key-files';
import { z } from 'zod';
import { StackError } from './stack-error.ts';

const accountsSchema = z.object({
  /** Tenant for one's own services. */
  local: z.object({ user_id: z.int(), api_key: z.string() }).optional(),
  /** Tenant of the demo. */
  demo: z.object({ user_id: z.int(), api_key: z.string() }).optional(),
  join_token: z.object({ token_id: z.int(), join_token: z.string() }).optional(),
});

type Accounts = z.infer<typeof accountsSchema>;

export interface LocalAccounts {
  localApiKey: string;
  demoApiKey: string;
  /** Good for any number of relays of this platform. */
  joinToken: string;
}

export interface LocalAccountsDeps {
  caller: ApiCaller;
  operator: ManagementApi;
}

/** Tenants, API keys and the join token of one platform: made once, kept in `accounts.json` (0600). */
export async function ensureLocalAccounts(deps: LocalAccountsDeps, home: string): Promise<LocalAccounts> {
  const file = join(home, 'accounts.json');
  const accounts = parse(await readTextFile(file));
  const before = JSON.stringify(accounts);
  const [local, demo, joinToken] = await Promise.all([
    ensureTenant(deps, 'local', accounts.local),
    ensureTenant(deps, 'demo', accounts.demo),
    ensureJoinToken(deps.operator, accounts.join_token),
  ]);
  const after: Accounts = { local, demo, join_token: joinToken };
  if (JSON.stringify(after) !== before) await replaceFile(file, `${JSON.stringify(after, null, 2)}\n`, 0o600);
  return { localApiKey: local.api_key, demoApiKey: demo.api_key, joinToken: joinToken.join_token };
}

async function ensureTenant(
  { caller, operator }: LocalAccountsDeps,
  username: string,
  saved: Accounts['local'],
): Promise<NonNullable<Accounts['local']>> {
  if (saved !== undefined && (await isAccepted(new ManagementApi(caller, saved.api_key)))) return saved;
  const user_id = await findOrCreateUser(operator, username);
  const { api_key } = await operator.apiKeys.create(user_id, { name: 'npm start' });
  return { user_id, api_key };
}

async function isAccepted(api: ManagementApi): Promise<boolean> {
  try {
    await api.me();
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'unauthenticated') return false;
    throw error;
  }
}

async function findOrCreateUser(operator: ManagementApi, username: string): Promise<number> {
  try {
    const user = await operator.users.create({ username, email: `${username}@tunnox.localhost`, plan: 'enterprise' });
    return user.user_id;
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'username_taken')) throw error;
  }
  // A start that was cut before it saved the key.
  for await (const user of everyItem('users', (page) => operator.users.list(page))) {
    if (user.username === username) return user.user_id;
  }
  throw new StackError(`The user '${username}' was deleted. Remove TUNNOX_HOME to start afresh.`);
}

async function ensureJoinToken(
  operator: ManagementApi,
  saved: Accounts['join_token'],
): Promise<NonNullable<Accounts['join_token']>> {
  if (saved !== undefined) {
    const valid = await operator.nodes.joinTokens();
    if (valid.some(({ token_id }) => token_id === saved.token_id)) return saved;
  }
  const { token_id, join_token } = await operator.nodes.createJoinToken({
    name: 'npm start',
    uses: null,
    expires_in_s: null,
  });
  return { token_id, join_token };
}

/** A file that cannot be read is made again: nothing in it is lost for ever. */
function parse(text: string | null): Accounts {
  try {
    return text === null ? {} : accountsSchema.parse(JSON.parse(text));
  } catch {
    return {};
  }
}
