export interface ExistenceCacheOptions {
  /** Endpoints that are remembered of each kind. */
  entriesMax: number;
  /** How long a "no" counts. */
  negativeMs: number;
}

/**
 * What this isolate knows of endpoints: which ones have an owner (for ever, a deleted one's owner says so itself), and
 * which ones did not exist a moment ago. Bounded: the oldest are forgotten.
 */
export class ExistenceCache {
  readonly #now: () => number;
  readonly #options: ExistenceCacheOptions;
  readonly #known = new Set<string>();
  readonly #unknownUntil = new Map<string, number>();

  constructor(now: () => number, options: ExistenceCacheOptions) {
    this.#now = now;
    this.#options = options;
  }

  /** `exists`: it does, or did once; `unknown`: it did not a moment ago; `ask`: nothing is known. */
  state(endpoint: string): 'exists' | 'unknown' | 'ask' {
    if (this.#known.has(endpoint)) return 'exists';
    const until = this.#unknownUntil.get(endpoint);
    if (until === undefined) return 'ask';
    if (this.#now() < until) return 'unknown';
    this.#unknownUntil.delete(endpoint);
    return 'ask';
  }

  noteExists(endpoint: string): void {
    this.#unknownUntil.delete(endpoint);
    this.#known.delete(endpoint);
    this.#known.add(endpoint);
    forgetOldest(this.#known, this.#options.entriesMax);
  }

  noteUnknown(endpoint: string): void {
    this.#unknownUntil.delete(endpoint);
    this.#unknownUntil.set(endpoint, this.#now() + this.#options.negativeMs);
    forgetOldest(this.#unknownUntil, this.#options.entriesMax);
  }
}

function forgetOldest(entries: Set<string> | Map<string, number>, entriesMax: number): void {
  for (const endpoint of entries.keys()) {
    if (entries.size <= entriesMax) return;
    entries.delete(endpoint);
  }
}
