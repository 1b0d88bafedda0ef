import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { ProviderError } from '../dns-sync/zone-provider.ts';
import type { DnsResolver } from './domain-proof-ports.ts';
import { isPrivateAddress, isPrivateHost } from './private-host.ts';

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/**
 * Refuses a tenant's endpoint that leads into a private network, each time before it is used: by its host, or by an
 * address to which its name leads now. Whoever serves that name could give another answer to the call itself; then it is
 * the network of the platform that refuses: Workers reach no private address, and HTTPS asks for a certificate of the name.
 *
 * @throws {ProviderError} `unauthorized`, or `unreachable` when the name cannot be resolved
 */
export async function checkTenantEndpoint(resolver: DnsResolver, endpoint: URL): Promise<void> {
  const { protocol, hostname, host } = endpoint;
  if (protocol !== 'https:' || isPrivateHost(hostname)) throw refused(host);
  if (hostname.startsWith('[') || IPV4.test(hostname)) return;
  const addresses = await resolve(resolver, hostname);
  if (addresses.some(isPrivateAddress)) throw refused(host);
  if (addresses.length === 0) throw new ProviderError('unreachable', `${host} cannot be reached: it has no address`);
}

async function resolve(resolver: DnsResolver, hostname: string): Promise<string[]> {
  const name = hostname.replace(/\.$/, '');
  try {
    const answers = await Promise.all([resolver.lookUp(name, 'A'), resolver.lookUp(name, 'AAAA')]);
    return answers.flatMap(({ values }) => values);
  } catch (cause) {
    if (!(cause instanceof TunnoxError)) throw cause;
    throw new ProviderError('unreachable', `${hostname} cannot be resolved now`, { cause });
  }
}

function refused(host: string): ProviderError {
  return new ProviderError('unauthorized', `${host} is not a public host: give the credential another endpoint`);
}
