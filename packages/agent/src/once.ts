/** Remembered values at the most; about 8 MB of tunnel ids. */
const ENTRIES_MAX = 50_000;

/**
 * Remembers values so that each counts once, in bounded memory: two generations, of which the older is forgotten when
 * the younger is half the limit. A replay is caught among the last 25 000 values at least.
 */
export class Once {
  readonly #generationSize: number;
  #young = new Set<string>();
  #old = new Set<string>();

  constructor(entriesMax: number = ENTRIES_MAX) {
    this.#generationSize = Math.max(1, Math.floor(entriesMax / 2));
  }

  /** @returns False when `value` was taken before. */
  take(value: string): boolean {
    if (this.#young.has(value) || this.#old.has(value)) return false;
    if (this.#young.size >= this.#generationSize) {
      this.#old = this.#young;
      this.#young = new Set();
    }
    this.#young.add(value);
    return true;
  }
}
