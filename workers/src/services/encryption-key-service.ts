import type { EncryptedKind, EncryptionRotation } from '@tunnox/domain/api/encryption-keys';
import { auditOf, type AuditEntry } from './audit.ts';
import type { RenewingCipher } from './cipher.ts';
import { type Caller, requireOperator } from './principal.ts';

/** A stored text with what finds it. */
export interface EncryptedText {
  id: string;
  text: string;
}

export interface EncryptedTextRepository {
  /** Texts in the order of their ids. @param after null: from the beginning. */
  page(kind: EncryptedKind, after: string | null, limit: number): Promise<EncryptedText[]>;
  /** Puts new texts in the place of old ones, those that are still as they were read. @returns How many. */
  replace(kind: EncryptedKind, changes: { id: string; before: string; after: string }[]): Promise<number>;
  audit(entry: AuditEntry): Promise<void>;
}

export interface EncryptionKeyServiceDeps {
  texts: EncryptedTextRepository;
  ciphers: Record<EncryptedKind, RenewingCipher>;
}

/** A page is one short statement. */
const PAGE = 500;
/** Of one call: a Worker may make a thousand requests. */
const PAGES_MAX = 400;

/** The key under which secrets are stored. For operators. */
export class EncryptionKeyService {
  readonly #deps: EncryptionKeyServiceDeps;

  constructor(deps: EncryptionKeyServiceDeps) {
    this.#deps = deps;
  }

  /**
   * Encrypts anew what is still stored under an earlier key. It may be called at any time and again; once it is complete
   * and nothing was unreadable, earlier keys are needed no more.
   */
  async rotate(caller: Caller): Promise<EncryptionRotation> {
    requireOperator(caller);
    const kinds: EncryptionRotation['kinds'] = [];
    let pages = PAGES_MAX;
    for (const kind of Object.keys(this.#deps.ciphers) as EncryptedKind[]) {
      const counts = { kind, renewed: 0, unreadable: 0 };
      kinds.push(counts);
      for (let after: string | null = null; pages > 0; pages -= 1) {
        const page: EncryptedText[] = await this.#deps.texts.page(kind, after, PAGE);
        const { renewed, unreadable } = await this.#renew(kind, page);
        counts.renewed += renewed;
        counts.unreadable += unreadable;
        after = page.at(-1)?.id ?? null;
        if (page.length < PAGE) break;
      }
    }
    const sum = (what: 'renewed' | 'unreadable') => kinds.reduce((total, counts) => total + counts[what], 0);
    const result = { complete: pages > 0, renewed: sum('renewed'), unreadable: sum('unreadable'), kinds };
    await this.#deps.texts.audit(auditOf(caller, 'encryption_key.rotate', { after: result }));
    return result;
  }

  async #renew(kind: EncryptedKind, page: EncryptedText[]): Promise<{ renewed: number; unreadable: number }> {
    const cipher = this.#deps.ciphers[kind];
    const changes: { id: string; before: string; after: string }[] = [];
    let unreadable = 0;
    for (const { id, text } of page) {
      if (await cipher.isCurrent(text)) continue;
      try {
        changes.push({ id, before: text, after: await cipher.encrypt(await cipher.decrypt(text)) });
      } catch {
        unreadable += 1;
      }
    }
    return { renewed: changes.length === 0 ? 0 : await this.#deps.texts.replace(kind, changes), unreadable };
  }
}
