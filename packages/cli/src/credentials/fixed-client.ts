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

  current(): AgentCredential {
    return this.#credential;
  }

  /** The client was claimed. Its new code comes once: it must not be lost, although the user named another one. */
  async save(identity: { clientId: number; authCode: string }): Promise<void> {
    const { clientId, authCode } = identity;
    const before = this.#credential.clientId;
    this.#credential = { clientId, authCode };
    await this.#file.update((credentials) => {
      credentials.clients.push({ server: this.#server, owner: 'claimed', client_id: clientId, auth_code: authCode });
    });
    this.#warnings.push({
      code: 'client_claimed',
      message: `Client ${before ?? ''} was claimed and is client ${clientId} now: name that one from now on. Its code is in ${this.#file.path}`,
    });
  }

  forget(): Promise<boolean> {
    return Promise.resolve(false);
  }
}
