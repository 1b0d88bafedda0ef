import type { AgentCredential, CredentialKeeper } from '@tunnox/agent/identity/credential';
import type { CredentialFile } from './credential-file.ts';

/** A client that the user named: by `--client` or in a configuration file. It is never replaced by another one. */
export class FixedClient implements CredentialKeeper {
  readonly #file: CredentialFile;
  readonly #server: string;
  readonly #warnings: { code: string; message: string }[];
  #credential: AgentCredential;

  constructor(
    file: CredentialFile,
    server: string,
    credential: AgentCredential,
    warnings: { code: string; message: string }[],
  ) {
    this.#file = file;
    this.#server = server;
    this.#credential = credential;
    this.#warnings = warnings;
  }

  /** As what the client that a configuration file names has become, if it was claimed in an earlier run. */
  static async open(
    file: CredentialFile,
    server: string,
    credential: AgentCredential & { clientId: number },
    warnings: { code: string; message: string }[],
  ): Promise<FixedClient> {
    const { clients } = await file.read();
    const next = clients.find((saved) => saved.server === server && saved.was === credential.clientId);
    if (next === undefined) return new FixedClient(file, server, credential, warnings);
    warnings.push(claimedWarning(credential.clientId, next.client_id, file.path));
    return new FixedClient(file, server, { clientId: next.client_id, authCode: next.auth_code }, warnings);
  }

  current(): AgentCredential {
    return this.#credential;
  }

  /** The client was claimed. Its new code must not be lost, although the user named another client. */
  async save(identity: { clientId: number; authCode: string }): Promise<void> {
    const { clientId, authCode } = identity;
    const was = this.#credential.clientId;
    const entry = { server: this.#server, owner: 'claimed', client_id: clientId, auth_code: authCode };
    await this.#file.update((credentials) => {
      const others = credentials.clients.filter((saved) => saved.server !== this.#server || saved.was !== was);
      credentials.clients = [...others, was === undefined ? entry : { ...entry, was }];
    });
    this.#credential = { clientId, authCode };
    this.#warnings.push(claimedWarning(was, clientId, this.#file.path));
  }

  forget(): Promise<boolean> {
    return Promise.resolve(false);
  }
}

function claimedWarning(was: number | undefined, clientId: number, path: string): { code: string; message: string } {
  return {
    code: 'client_claimed',
    message: `Client ${was ?? ''} was claimed and is client ${clientId} now: name that one from now on. Its code is in ${path}`,
  };
}
