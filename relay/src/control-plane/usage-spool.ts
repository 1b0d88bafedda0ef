import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type UsageRequest, usageRequestSchema } from '@tunnox/domain/relay-api';

/**
 * Reports that did not reach the control plane, one file each, oldest first. They survive the process: a later one
 * sends them with the incarnation and sequence that they were made with, so that each counts once.
 */
export class UsageSpool {
  readonly #directory: string;
  readonly #filesMax: number;
  #names: string[] | null = null;

  /** @param filesMax beyond it the oldest reports are given up */
  constructor(directory: string, filesMax: number) {
    this.#directory = directory;
    this.#filesMax = filesMax;
  }

  /** Reports that wait. */
  async size(): Promise<number> {
    return (await this.#list()).length;
  }

  /** @returns number of old reports that were given up for it */
  async add(report: UsageRequest): Promise<number> {
    const names = await this.#list();
    const name = `${report.incarnation}-${String(report.sequence).padStart(10, '0')}.json`;
    await writeDurably(join(this.#directory, name), JSON.stringify(report));
    names.push(name);
    const surplus = names.splice(0, Math.max(0, names.length - this.#filesMax));
    for (const old of surplus) await rm(join(this.#directory, old), { force: true });
    return surplus.length;
  }

  /** The oldest report; null: none waits. What cannot be read is dropped. */
  async first(): Promise<UsageRequest | null> {
    const names = await this.#list();
    for (let name = names[0]; name !== undefined; name = names[0]) {
      const report = await readReport(join(this.#directory, name));
      if (report !== null) return report;
      await this.removeFirst();
    }
    return null;
  }

  async removeFirst(): Promise<void> {
    const name = (await this.#list()).shift();
    if (name !== undefined) await rm(join(this.#directory, name), { force: true });
  }

  async #list(): Promise<string[]> {
    if (this.#names === null) {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      // Incarnations are ULIDs, so names sort by time.
      this.#names = (await readdir(this.#directory)).filter((name) => name.endsWith('.json')).sort();
    }
    return this.#names;
  }
}

async function readReport(path: string): Promise<UsageRequest | null> {
  try {
    return usageRequestSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return null;
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const half = `${path}.tmp`;
  const file = await open(half, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(half, path);
}
