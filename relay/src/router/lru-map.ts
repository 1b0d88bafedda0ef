/**
 * A map of at most `max` entries that drops those that nobody asked for lately. An entry is moved to the young end
 * only when a quarter of the map was written since its last move, so a hot key costs one plain look-up.
 */
export class LruMap<Key, Value> {
  readonly #max: number;
  readonly #entries = new Map<Key, { value: Value; touched: number }>();
  #writes = 0;

  constructor(max: number) {
    if (!(max >= 1)) throw new RangeError(`Cannot make an LruMap: 'max' must be at least 1, it is ${max}`);
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (this.#writes - entry.touched > this.#max / 4) this.#touch(key, entry);
    return entry.value;
  }

  set(key: Key, value: Value): void {
    this.#writes++;
    this.#touch(key, { value, touched: 0 });
    if (this.#entries.size <= this.#max) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      break;
    }
  }

  delete(key: Key): boolean {
    return this.#entries.delete(key);
  }

  #touch(key: Key, entry: { value: Value; touched: number }): void {
    entry.touched = this.#writes;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
  }
}
