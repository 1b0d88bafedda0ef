import type { HandoverRepository } from './claim-ports.ts';
import type { Cipher } from './ports.ts';

export interface HandoversDeps {
  repository: HandoverRepository;
  cipher: Cipher;
}

/**
 * New codes of claimed clients, for their agents: kept encrypted until an agent has used them. They are given out as
 * often as the old code is shown meanwhile, because an answer may be lost on its way.
 */
export class Handovers {
  readonly #deps: HandoversDeps;

  constructor(deps: HandoversDeps) {
    this.#deps = deps;
  }

  /** What is kept of the new code; it opens for this client only. */
  seal(oldClientId: number, newCode: string): Promise<string> {
    return this.#deps.cipher.encrypt(new TextEncoder().encode(`${oldClientId} ${newCode}`));
  }

  /** @returns The new code; null: it was used, changed by its owner, or its time has ended. */
  async open(oldClientId: number): Promise<string | null> {
    const { repository, cipher } = this.#deps;
    const sealed = await repository.find(oldClientId);
    if (sealed === null) return null;
    const [clientId, newCode] = new TextDecoder().decode(await cipher.decrypt(sealed)).split(' ');
    if (clientId !== String(oldClientId) || newCode === undefined) throw new Error('A handover is of another client');
    return newCode;
  }

  /** The code of the managed client was used: its agent has it. */
  async end(newClientId: number): Promise<void> {
    await this.#deps.repository.end(newClientId);
  }
}
