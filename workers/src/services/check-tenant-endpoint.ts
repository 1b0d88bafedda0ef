import { ProviderError } from '../dns-sync/zone-provider.ts';
import { isPrivateHost } from './private-host.ts';

/**
 * Refuses a tenant's endpoint that leads into a private network, each time before it is used: it may have been stored
 * under other rules. A public name that resolves to a private address is the platform's network to refuse: Workers reach
 * no private address, and workerd's network is `allow = ["public"]`.
 *
 * @throws {ProviderError} `unauthorized`
 */
export async function checkTenantEndpoint(endpoint: URL): Promise<void> {
  if (endpoint.protocol === 'https:' && !isPrivateHost(endpoint.hostname)) return;
  throw new ProviderError(
    'unauthorized',
    `${endpoint.host} is not a public host: give the credential another endpoint`,
  );
}
