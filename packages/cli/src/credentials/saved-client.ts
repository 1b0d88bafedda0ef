import { createHash } from 'node:crypto';
import type { AgentCredential, CredentialKeeper } from '@tunnox/agent/identity/credential';
import { claim, type Claim } from './claim.ts';
import type { CredentialFile } from './credential-file.ts';

export interface SavedClientOptions {
  server: string;
  /** Absent: anonymous. */
  apiKey?: string;
  /** The saved client was not accepted and a new one takes its place. */
  onReplaced: (clientId: number) => void;
}

/**
 * The client that this process runs as: the first saved one that no other process uses, or a new one, which is then
 * saved. It stays claimed until `release()`.
 */
export class SavedClient implements CredentialKeeper {
  readonly #file: CredentialFile;
  readonly #options: SavedClientOptions;
  readonly #owner: string;
  #credential: AgentCredential;
  #claim: Claim | null = null;

  private constructor(file: CredentialFile, options: SavedClientOptions) {
    this.#file = file;
    this.#options = options;
    this.#owner = ownerOf(options.apiKey);
    this.#credential = this.#fresh();
  }

  static async take(file: CredentialFile, options: SavedClientOptions): Promise<SavedClient> {
    const taken = new SavedClient(file, options);
    await file.prepare();
    const { clients } = await file.read();
    for (const saved of clients) {
      if (saved.server !== options.server || saved.owner !== taken.#owner) continue;
      taken.#claim = await claim(file.locksDir, taken.#claimName(saved.client_id));
      if (taken.#claim === null) continue;
      taken.#credential = { ...taken.#fresh(), clientId: saved.client_id, authCode: saved.auth_code };
      break;
    }
    return taken;
  }

  current(): AgentCredential {
    return this.#credential;
  }

  async save(identity: { clientId: number; authCode: string }): Promise<void> {
    const previous = this.#credential.clientId;
    // Before it stands in the file: from then on other processes may want it.
    if (previous !== identity.clientId) {
      this.release();
      this.#claim = await claim(this.#file.locksDir, this.#claimName(identity.clientId));
    }
    this.#credential = { ...this.#fresh(), clientId: identity.clientId, authCode: identity.authCode };
    await this.#file.update((credentials) => {
      credentials.clients = credentials.clients.filter((saved) => !this.#is(saved, previous, identity.clientId));
      credentials.clients.push({
        server: this.#options.server,
        owner: this.#owner,
        client_id: identity.clientId,
        auth_code: identity.authCode,
      });
    });
  }

  async forget(reason: 'unauthenticated' | 'not_found'): Promise<boolean> {
    const { clientId, authCode, apiKey } = this.#credential;
    if (clientId === undefined) return false;
    if (authCode !== undefined && apiKey !== undefined) {
      // The code is wrong; the user's key may still open the client.
      this.#credential = { clientId, apiKey };
      return true;
    }
    if (apiKey !== undefined && reason === 'unauthenticated') return false;
    this.#credential = this.#fresh();
    this.release();
    this.#options.onReplaced(clientId);
    await this.#file.update((credentials) => {
      credentials.clients = credentials.clients.filter((saved) => !this.#is(saved, clientId));
    });
    return true;
  }

  /** Lets other processes have the client. */
  release(): void {
    this.#claim?.release();
    this.#claim = null;
  }

  #fresh(): AgentCredential {
    return this.#options.apiKey === undefined ? {} : { apiKey: this.#options.apiKey };
  }

  #claimName(clientId: number): string {
    return `client-${clientId}-${shortHash(this.#options.server)}`;
  }

  #is(saved: { server: string; client_id: number }, ...clientIds: (number | undefined)[]): boolean {
    return saved.server === this.#options.server && clientIds.includes(saved.client_id);
  }
}

/** The key itself is not written down for a client's sake. */
function ownerOf(apiKey: string | undefined): string {
  return apiKey === undefined ? 'anonymous' : `key-${shortHash(apiKey)}`;
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
