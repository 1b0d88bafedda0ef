import { createHash } from 'node:crypto';
import type { AgentCredential, CredentialKeeper } from '@tunnox/agent/identity/credential';
import { ANONYMOUS_CLIENT_ID_MAX } from '@tunnox/domain/ids';
import { CliError } from '../cli-error.ts';
import { claim, type Claim } from './claim.ts';
import { type CredentialFile, type Credentials, unnamedKey } from './credential-file.ts';

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

  /** @throws {CliError} `client_code_needed` when the client's code is not known any more */
  static async take(file: CredentialFile, options: SavedClientOptions): Promise<SavedClient> {
    const taken = new SavedClient(file, options);
    await file.prepare();
    const { clients } = await file.read();
    for (const saved of clients) {
      if (saved.server !== options.server || saved.owner !== taken.#owner) continue;
      taken.#claim = await claim(file.locksDir, taken.#claimName(saved.client_id));
      if (taken.#claim === null) continue;
      if (saved.auth_code === '') {
        taken.release();
        throw codeNeeded(saved.client_id, file.path);
      }
      taken.#credential = { ...taken.#fresh(), clientId: saved.client_id, authCode: saved.auth_code };
      break;
    }
    return taken;
  }

  /**
   * A client of an account that was named, without a key of that account: with the code that was saved, or the one that
   * `ask` gives, which is then saved as well.
   *
   * @throws {CliError} `client_in_use`, `client_code_needed`
   */
  static async named(
    file: CredentialFile,
    server: string,
    clientId: number,
    ask: () => Promise<string>,
  ): Promise<SavedClient> {
    const taken = new SavedClient(file, { server, onReplaced: () => {} });
    await file.prepare();
    taken.#claim = await claim(file.locksDir, taken.#claimName(clientId));
    if (taken.#claim === null) {
      throw new CliError('client_in_use', `Client ${clientId} is used by another tunnox process on this machine`);
    }
    try {
      const { clients } = await file.read();
      const saved = clients.find((each) => each.server === server && each.client_id === clientId);
      const known = saved?.auth_code ?? '';
      const authCode = known === '' ? await ask() : known;
      if (authCode === '') throw codeNeeded(clientId, file.path);
      taken.#credential = { clientId, authCode };
      if (known === '') await taken.#keep(clientId, authCode, clientId);
      return taken;
    } catch (error) {
      taken.release();
      throw error;
    }
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
    await this.#keep(identity.clientId, identity.authCode, previous);
    // Last: what could not be kept is asked for again with what there was.
    this.#credential = { ...this.#fresh(), clientId: identity.clientId, authCode: identity.authCode };
  }

  /** The next command says what is missing instead of the server's no. */
  async superseded(newClientId: number | null): Promise<void> {
    const { clientId } = this.#credential;
    if (clientId === undefined || newClientId === null) return;
    await this.#keep(newClientId, '', clientId);
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
    if (apiKey === undefined && clientId > ANONYMOUS_CLIENT_ID_MAX) {
      // An account's client, with names that people know: it is never replaced by an anonymous one without a word.
      await this.#keep(clientId, '', clientId);
      return false;
    }
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

  /** Saves a client in the place of `previous`, with the random name that it had, in one step. */
  async #keep(clientId: number, authCode: string, previous: number | undefined): Promise<void> {
    const { server } = this.#options;
    const entry = { server, owner: this.#owner, client_id: clientId, auth_code: authCode };
    await this.#file.update((credentials) => {
      const { clients } = credentials;
      const place = clients.findIndex((saved) => this.#is(saved, previous, clientId));
      const others = (some: Credentials['clients']) => some.filter((saved) => !this.#is(saved, previous, clientId));
      // In the same place: which client the next command takes must not depend on what happened to them.
      const before = place === -1 ? clients : clients.slice(0, place);
      credentials.clients = [...others(before), entry, ...(place === -1 ? [] : others(clients.slice(place)))];
      if (previous === undefined || previous === clientId) return;
      const domainId = credentials.unnamed_domains[unnamedKey(server, previous)];
      if (domainId === undefined) return;
      credentials.unnamed_domains[unnamedKey(server, clientId)] = domainId;
      delete credentials.unnamed_domains[unnamedKey(server, previous)];
    });
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

function codeNeeded(clientId: number, path: string): CliError {
  return new CliError(
    'client_code_needed',
    `The code of client ${clientId} is needed: it was changed, or given to somebody else. Its owner has it, or makes a ` +
      `new one by the API. Then name the client by --client ${clientId}: the code is asked for, or taken from ` +
      `TUNNOX_AUTH_CODE. To begin as a new client instead, take this one out of ${path}`,
  );
}

/** The key itself is not written down for a client's sake. */
function ownerOf(apiKey: string | undefined): string {
  return apiKey === undefined ? 'anonymous' : `key-${shortHash(apiKey)}`;
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
