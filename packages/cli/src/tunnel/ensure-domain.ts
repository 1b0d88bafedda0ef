import { ApiError } from '@tunnox/api-client/api-error';
import type { ManagementApi } from '@tunnox/api-client/management-api';
import type { Domain, VerifiedDomain } from '@tunnox/domain/api/domains';
import { CliError } from '../cli-error.ts';
import { formatHostPort, type TargetAddress } from '../target.ts';
import type { Tunnel } from './tunnel.ts';

export interface DomainWish {
  target: TargetAddress;
  /** At most one of these; neither: a random name. */
  subdomain?: string;
  domain?: string;
  hostHeader?: string;
}

/** Where the random names of clients are remembered. */
export interface UnnamedDomains {
  read(clientId: number): Promise<number | null>;
  save(clientId: number, domainId: number): Promise<void>;
}

/**
 * Makes a name lead to this client's target: a new one, or one that the caller has already. Without a wish it is the
 * random name that the client got before, or a new one.
 *
 * @throws {ApiError} `subdomain_taken`, `name_invalid`, `quota_exceeded`, `login_required`
 * @throws {CliError} `verification_required` with the DNS records of which one proves a domain of one's own
 */
export async function ensureDomain(
  api: ManagementApi,
  clientId: number,
  wish: DomainWish,
  unnamed: UnnamedDomains,
): Promise<Tunnel> {
  const { target, subdomain, domain, hostHeader } = wish;
  const place = {
    client_id: clientId,
    target_scheme: target.scheme === 'https' ? ('https' as const) : ('http' as const),
    target_host: target.host,
    target_port: target.port,
    host_header: hostHeader ?? null,
    enabled: true,
  };
  if (subdomain === undefined && domain === undefined) {
    const found = await ensureUnnamed(api, clientId, place, unnamed);
    return toTunnel(found, target);
  }
  try {
    const name = { ...(subdomain === undefined ? {} : { subdomain }), ...(domain === undefined ? {} : { domain }) };
    return toTunnel(await proved(api, await api.domains.create({ ...name, ...place })), target);
  } catch (error) {
    const own = ownDomainIn(error);
    if (own === null) throw error;
    return toTunnel(await proved(api, await api.domains.update(own, place)), target);
  }
}

/** The domain, when its proof stands: whoever has just made the record does not wait for the next look. */
async function proved(api: ManagementApi, domain: Domain): Promise<Domain> {
  if (domain.verification_state === 'verified') return domain;
  const found = await look(api, domain);
  if (found?.verification_state === 'verified') return found;
  const { full_domain, proofs } = found ?? domain;
  const records = proofs.map(({ type, name, value }) => {
    const check = found?.checks.find((one) => one.type === type);
    // What is not there is no news to who has just asked.
    const told = check?.result === 'other_value' || check?.result === 'failed' ? `\n        ${check.detail}` : '';
    return `  ${name}  ${type}  ${type === 'TXT' ? `"${value}"` : value}${told}`;
  });
  throw new CliError(
    'verification_required',
    `Prove first that ${full_domain} is yours. Put one of these records into its DNS, then run the command again:\n` +
      records.join('\n'),
  );
}

/** null: nobody can look now. */
async function look(api: ManagementApi, { domain_id }: Domain): Promise<VerifiedDomain | null> {
  try {
    return await api.domains.verify(domain_id);
  } catch (error) {
    if (error instanceof ApiError && (error.code === 'unavailable' || error.code === 'rate_limited')) return null;
    throw error;
  }
}

type Place = Parameters<ManagementApi['domains']['update']>[1] & { client_id: number; target_port: number };

async function ensureUnnamed(
  api: ManagementApi,
  clientId: number,
  place: Place,
  unnamed: UnnamedDomains,
): Promise<Domain> {
  const known = await unnamed.read(clientId);
  if (known !== null) {
    try {
      const { client_id } = await api.domains.get(known);
      if (client_id === clientId) return await api.domains.update(known, place);
    } catch (error) {
      // Deleted meanwhile, or its time has ended.
      if (!(error instanceof ApiError) || error.code !== 'not_found') throw error;
    }
  }
  const created = await api.domains.create(place);
  await unnamed.save(clientId, created.domain_id);
  return created;
}

/** The caller has this name already: the answer says under which id. */
function ownDomainIn(error: unknown): number | null {
  if (!(error instanceof ApiError) || error.code !== 'conflict') return null;
  const id = error.members['domain_id'];
  return typeof id === 'number' ? id : null;
}

function toTunnel(domain: Domain, target: TargetAddress): Tunnel {
  const prefix = target.scheme === 'https' ? 'https://' : 'http://';
  return {
    bindingId: `domain:${domain.domain_id}`,
    url: domain.url,
    urls: [...domain.urls].sort((a, b) => rank(a) - rank(b)),
    target: `${prefix}${formatHostPort(target.host, target.port)}`,
  };
}

function rank(url: string): number {
  return url.startsWith('https:') ? 1 : 0;
}
