import type { Clock } from '../clock.ts';
import { LruMap } from '../router/lru-map.ts';

export interface ChallengeAnswersDeps {
  clock: Clock;
  /** Asks the control plane; null: nobody of ours waits for the token. */
  ask: (token: string, host: string) => Promise<string | null>;
}

/** An authority looks from several places at once. */
const CACHED_MS = 1000;
const CACHED_MAX = 1000;
/** Anybody can ask for tokens that do not exist: they hold up neither other names nor the control plane. */
const ASKED_MAX = 64;
const ASKED_PER_HOST_MAX = 8;

const PREFIX = '/.well-known/acme-challenge/';
const PATH = /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{16,128})$/;

/** Whether such a path begins at an index of a request line: of most requests nothing else is looked at. */
export function isChallengePath(line: string, index: number): boolean {
  return line.startsWith(PREFIX, index);
}

/** What a request for such a path asks for; null: it is no proof for a certificate authority. */
export function challengeToken(path: string): string | null {
  return PATH.exec(path)?.[1] ?? null;
}

/** Answers for certificate authorities that look for a proof at a name (RFC 8555, section 8.3). */
export class ChallengeAnswers {
  readonly #deps: ChallengeAnswersDeps;
  readonly #cache = new LruMap<string, { atMs: number; answer: Promise<string | null> }>(CACHED_MAX);
  readonly #asking = new Map<string, number>();
  #askingCount = 0;

  constructor(deps: ChallengeAnswersDeps) {
    this.#deps = deps;
  }

  /** @returns null: it is not ours, or nobody can say; the request goes where it would go otherwise. */
  find(token: string, host: string): Promise<string | null> {
    const now = this.#deps.clock.now();
    const key = `${host} ${token}`;
    const known = this.#cache.get(key);
    if (known !== undefined && now - known.atMs < CACHED_MS) return known.answer;
    const asking = this.#asking.get(host) ?? 0;
    if (asking >= ASKED_PER_HOST_MAX || this.#askingCount >= ASKED_MAX) return Promise.resolve(null);
    this.#asking.set(host, asking + 1);
    this.#askingCount += 1;
    const answer = this.#ask(token, host);
    this.#cache.set(key, { atMs: now, answer });
    return answer;
  }

  async #ask(token: string, host: string): Promise<string | null> {
    try {
      return await this.#deps.ask(token, host);
    } catch {
      return null;
    } finally {
      this.#askingCount -= 1;
      const left = (this.#asking.get(host) ?? 1) - 1;
      if (left === 0) this.#asking.delete(host);
      else this.#asking.set(host, left);
    }
  }
}
