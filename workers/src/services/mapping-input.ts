import type { AccessRules, NewMapping, NewMappingKind, UpstreamRow } from './binding-ports.ts';
import type { ClientLookup } from './client-lookup.ts';
import type { Cipher } from './ports.ts';
import { type Caller, invalid, notFound, type Owner } from './principal.ts';
import { randomBytes } from './random.ts';

/** A create as the schema gives it, with its defaults. */
export interface CreateMappingInput {
  user_id?: number | undefined;
  name: string;
  source_client_id?: number | undefined;
  target_client_id?: number | undefined;
  upstreams?: UpstreamRow[] | undefined;
  protocol: 'tcp' | 'http' | 'socks5';
  target_host?: string | undefined;
  target_port?: number | undefined;
  local_port?: number | undefined;
  remote_port?: number | undefined;
  relay_group: string;
  enabled: boolean;
  access?: AccessRules | undefined;
}

const SECRET_BYTES = 32;
const DEFAULT_TARGET_HOST = '127.0.0.1';

export interface MappingInputDeps {
  clients: ClientLookup;
  secrets: Cipher;
}

/**
 * Checks what goes together in a create.
 *
 * @throws {TunnoxError} `invalid` with the field, `not_found` for a client that the caller may not use
 */
export async function toNewMapping(
  deps: MappingInputDeps,
  caller: Caller,
  body: CreateMappingInput,
  target: Owner & { upstreams: UpstreamRow[] },
): Promise<NewMapping> {
  const { name, protocol, enabled, access = { allow: [], deny: [] } } = body;
  const { userId, namespaceId, upstreams } = target;
  const common = { name, protocol, enabled, access, userId, namespaceId, upstreams };
  const mapping = { ...common, ...targetOf(body), ...(await kindOf(deps, body, target)) };
  requireOwnPart(caller, mapping);
  return mapping;
}

function targetOf(body: CreateMappingInput): { targetHost: string | null; targetPort: number | null } {
  if (body.protocol === 'socks5') {
    if (body.target_host === undefined && body.target_port === undefined) return { targetHost: null, targetPort: null };
    throw invalid('/target_host', 'is not allowed with socks5: the source names its targets');
  }
  if (body.target_port === undefined) throw invalid('/target_port', 'must be given');
  return { targetHost: body.target_host ?? DEFAULT_TARGET_HOST, targetPort: body.target_port };
}

async function kindOf(
  { clients, secrets }: MappingInputDeps,
  body: CreateMappingInput,
  target: Owner & { upstreams: UpstreamRow[] },
): Promise<NewMappingKind> {
  if (body.source_client_id === undefined) {
    if (body.protocol !== 'tcp') throw invalid('/protocol', 'must be tcp for a public port');
    if (body.local_port !== undefined) throw invalid('/local_port', 'must not be given without source_client_id');
    return { kind: 'public', relayGroup: body.relay_group, remotePort: body.remote_port ?? null };
  }
  if (body.remote_port !== undefined) throw invalid('/remote_port', 'must not be given with source_client_id');
  if (body.local_port === undefined) throw invalid('/local_port', 'must be given with source_client_id');
  // Both ends are the same user's, and the same team's: whoever may change the one may change the other.
  const { userId, namespaceId } = target;
  const source = await clients.find(body.source_client_id, { kind: 'owner', userId, namespaceId });
  if (source === null) throw notFound('client', body.source_client_id);
  if (target.upstreams.some(({ client_id }) => client_id === source.client_id))
    throw invalid('/source_client_id', 'must be another client than the target');
  const secretEncrypted = await secrets.encrypt(randomBytes(SECRET_BYTES));
  return { kind: 'private', sourceClientId: source.client_id, localPort: body.local_port, secretEncrypted };
}

/** An agent's own credential makes mappings that begin or end at that agent. */
function requireOwnPart({ principal }: Caller, mapping: NewMapping): void {
  if (principal.role !== 'client') return;
  if (mapping.kind === 'private' && mapping.sourceClientId === principal.clientId) return;
  for (const { client_id } of mapping.upstreams) {
    if (client_id !== principal.clientId) throw notFound('client', client_id);
  }
}
