import type { UnnamedDomains } from '../tunnel/ensure-domain.ts';
import { type CredentialFile, unnamedKey } from './credential-file.ts';

/** Random names of the clients of one server, in the credential file. */
export function unnamedDomainsIn(file: CredentialFile, server: string): UnnamedDomains {
  const keyOf = (clientId: number): string => unnamedKey(server, clientId);
  return {
    async read(clientId) {
      return (await file.read()).unnamed_domains[keyOf(clientId)] ?? null;
    },
    async save(clientId, domainId) {
      await file.update((credentials) => {
        credentials.unnamed_domains[keyOf(clientId)] = domainId;
      });
    },
  };
}
