import { DurableObject } from 'cloudflare:workers';
import type { Env } from '../env.ts';
import { certificateParts } from './certificate-parts.ts';

/** Nothing is due: wants are looked at again all the same, in case somebody forgot to wake. */
const IDLE_MS = 10 * 60_000;
/** A run that fails as a whole, such as without a database. */
const FAILED_RETRY_MS = 15_000;
const PAUSE_MS_MIN = 100;

/**
 * Owner of the work on certificates: one object for all, so that one authority is asked in one place. The lease of each
 * step in Postgres keeps other control planes out; where an order stands is there too, so that nothing is lost with this
 * object.
 */
export class CertificateWorker extends DurableObject<Env> {
  #running: Promise<void> | null = null;
  #woken = false;

  /** Something is due, or something is wanted that was not before. */
  async wake(): Promise<void> {
    this.#woken = true;
    await this.ctx.storage.setAlarm(Date.now());
  }

  override async alarm(): Promise<void> {
    // An alarm that was set while one runs comes in here beside it.
    if (this.#running !== null) return;
    this.#running = this.#run();
    try {
      await this.#running;
    } finally {
      this.#running = null;
    }
  }

  async #run(): Promise<void> {
    const parts = certificateParts(this.env);
    if (parts === null) return;
    const woken = this.#woken;
    this.#woken = false;
    // Armed before the work: an object that dies in the middle is woken again.
    await this.ctx.storage.setAlarm(Date.now() + FAILED_RETRY_MS);
    let nextAtMs: number | null;
    try {
      nextAtMs = await parts.runner.run(woken);
    } catch (error) {
      parts.log.warn({ err: String(error) }, 'The work on certificates failed: it goes on soon');
      return;
    }
    const now = Date.now();
    const wishMs = this.#woken ? now : (nextAtMs ?? Number.POSITIVE_INFINITY);
    await this.ctx.storage.setAlarm(Math.min(now + IDLE_MS, Math.max(now + PAUSE_MS_MIN, wishMs)));
  }
}
