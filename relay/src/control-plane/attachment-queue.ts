import type { ClientPolicy } from '@tunnox/domain/policy';
import type { AttachAnswer } from '@tunnox/domain/relay-api';
import type { Logger } from '@tunnox/observability/logger';
import type { Clock } from '../clock.ts';
import type { AttachedClient, AttachOutcome, SessionCommands } from '../session/ports.ts';
import { Backoff } from './backoff.ts';
import type { RelayApi } from './relay-api.ts';

export interface AttachmentQueueDeps {
  api: Pick<RelayApi, 'attach' | 'detach'>;
  sessions: Pick<SessionCommands, 'applyPolicy' | 'closeClient'>;
  /** Every policy that comes with an answer, before anything else learns of it. */
  onPolicy: (policy: ClientPolicy) => void;
  clock: Clock;
  /** 0 (included) to 1. */
  random: () => number;
  log: Logger;
}

type Operation =
  | { kind: 'attach'; client: AttachedClient; waiting: ((outcome: AttachOutcome) => void) | null }
  | { kind: 'announce'; client: AttachedClient }
  | { kind: 'detach'; client: AttachedClient };

/** At most one operation of a client is under way, and one waits: the last word about it. */
interface Slot {
  running: Operation | null;
  next: Operation | null;
}

type AttachResult = AttachAnswer['results'][number];

const BATCH_MAX = 100;
const BATCHES_RUNNING_MAX = 4;
const BACKOFF = { firstMs: 500, maxMs: 15_000 };

/**
 * Tells the control plane in batches who is attached here, in order for each client, until it has heard. Operations
 * of one turn of the event loop go together; while it is away only the last word about each client is kept.
 */
export class AttachmentQueue {
  readonly #deps: AttachmentQueueDeps;
  readonly #backoff: Backoff;
  readonly #slots = new Map<number, Slot>();
  /** The connection of each client that the control plane was last told of. */
  readonly #told = new Map<number, AttachedClient>();
  /** Clients whose slot has something to send, oldest first. */
  readonly #ready = new Set<number>();
  #running = 0;
  #paused = false;
  #scheduled = false;
  #stopped = false;
  #whenEmpty: (() => void)[] = [];

  constructor(deps: AttachmentQueueDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff(deps.random, BACKOFF);
  }

  /** Clients about whom something is still to be said. */
  get size(): number {
    return this.#slots.size;
  }

  attach(client: AttachedClient): Promise<AttachOutcome> {
    if (this.#paused || this.#stopped) {
      // It is known to be away: nobody needs to wait for it.
      if (!this.#stopped) this.#push({ kind: 'attach', client, waiting: null });
      return Promise.resolve({ kind: 'unreachable' });
    }
    return new Promise((waiting) => this.#push({ kind: 'attach', client, waiting }));
  }

  detach(client: AttachedClient): void {
    const clientId = client.client_id;
    const slot = this.#slots.get(clientId);
    const next = slot?.next ?? null;
    if (slot === undefined || next === null || next.kind === 'detach') return this.#push({ kind: 'detach', client });
    // Another connection of this client waits to be attached: that says it already.
    if (!same(next.client, client)) return;
    // It was never said that this one is here, and to say it now could outbid somebody who is.
    const told = this.#told.get(clientId);
    if (told !== undefined) return this.#push({ kind: 'detach', client: told });
    answer(next, { kind: 'unreachable' });
    slot.next = null;
    this.#close(clientId, slot);
  }

  /**
   * The control plane has ended a connection itself, and need not be told of it.
   *
   * @param order As `close_client`: null means any instance, any connect.
   */
  ended(order: { client_id: number; instance_id: string | null; connect_seq: number | null }): void {
    const told = this.#told.get(order.client_id);
    if (told === undefined || (order.instance_id ?? told.instance_id) !== told.instance_id) return;
    if (told.connect_seq <= (order.connect_seq ?? told.connect_seq)) this.#told.delete(order.client_id);
  }

  /** The control plane may have forgotten these: it is told again, and nobody is outbid by it. */
  announce(clients: readonly AttachedClient[]): void {
    for (const client of clients) {
      if (!this.#slots.has(client.client_id)) this.#push({ kind: 'announce', client });
    }
  }

  /** Resolves when everything was said, or the signal is aborted. */
  async flushed(signal: AbortSignal): Promise<void> {
    if (this.#slots.size === 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#whenEmpty.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const { running, next } of this.#slots.values()) {
      answer(running, { kind: 'unreachable' });
      answer(next, { kind: 'unreachable' });
    }
    this.#slots.clear();
    this.#ready.clear();
  }

  #push(operation: Operation): void {
    const clientId = operation.client.client_id;
    let slot = this.#slots.get(clientId);
    if (slot === undefined) this.#slots.set(clientId, (slot = { running: null, next: null }));
    answer(slot.next, { kind: 'unreachable' });
    slot.next = operation;
    if (slot.running === null) this.#ready.add(clientId);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#paused || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      while (this.#ready.size > 0 && this.#running < BATCHES_RUNNING_MAX && !this.#paused && !this.#stopped) {
        void this.#send(this.#take());
      }
    });
  }

  /** The next batch: all to attach, or all to detach. */
  #take(): Operation[] {
    const batch: Operation[] = [];
    for (const clientId of this.#ready) {
      const slot = this.#slots.get(clientId);
      const operation = slot?.next ?? null;
      if (slot === undefined || operation === null) continue;
      if (batch[0] !== undefined && (batch[0].kind === 'detach') !== (operation.kind === 'detach')) continue;
      this.#ready.delete(clientId);
      slot.running = operation;
      slot.next = null;
      if (operation.kind !== 'detach') this.#told.set(clientId, operation.client);
      if (batch.push(operation) === BATCH_MAX) break;
    }
    return batch;
  }

  async #send(batch: Operation[]): Promise<void> {
    this.#running++;
    try {
      if (batch[0]?.kind === 'detach') {
        await this.#deps.api.detach({ clients: batch.map(({ client }) => named(client)) });
        for (const operation of batch) {
          this.#untell(operation.client);
          this.#done(operation);
        }
      } else {
        await this.#attachAll(batch);
      }
      this.#backoff.reset();
    } catch (error) {
      this.#failed(batch, error);
    } finally {
      this.#running--;
      this.#schedule();
    }
  }

  async #attachAll(batch: Operation[]): Promise<void> {
    const clients = batch.map(({ kind, client }) => ({
      ...named(client),
      generation: client.generation,
      mode: kind === 'announce' ? ('announce' as const) : ('attach' as const),
    }));
    const { results } = await this.#deps.api.attach({ clients });
    const byClient = new Map(results.map((result) => [result.client_id, result]));
    const unanswered: Operation[] = [];
    for (const operation of batch) {
      const result = byClient.get(operation.client.client_id);
      if (result === undefined) unanswered.push(operation);
      else this.#apply(operation, result);
    }
    if (unanswered.length > 0) this.#failed(unanswered, new Error('the answer to attach names not all clients'));
  }

  #apply(operation: Operation, result: AttachResult): void {
    if (this.#stopped) return;
    const { sessions, onPolicy } = this.#deps;
    const waiting = operation.kind === 'attach' ? operation.waiting : null;
    // Who waits applies the outcome itself.
    if (result.outcome === 'accepted') {
      onPolicy(result.policy);
      if (waiting === null) sessions.applyPolicy(result.policy);
      else waiting({ kind: 'accepted', policy: result.policy });
    } else {
      const { code, message } = result;
      this.#untell(operation.client);
      if (waiting === null) sessions.closeClient({ ...named(operation.client), code, message });
      else waiting({ kind: 'refused', code, message });
    }
    this.#done(operation);
  }

  #done({ client }: Operation): void {
    const slot = this.#slots.get(client.client_id);
    if (slot === undefined) return;
    slot.running = null;
    if (slot.next === null) this.#close(client.client_id, slot);
    else this.#ready.add(client.client_id);
  }

  #untell(client: AttachedClient): void {
    const told = this.#told.get(client.client_id);
    if (told !== undefined && same(told, client)) this.#told.delete(client.client_id);
  }

  /** Forgets a slot in which nothing is left. */
  #close(clientId: number, { running }: Slot): void {
    if (running !== null) return;
    this.#slots.delete(clientId);
    this.#ready.delete(clientId);
    if (this.#slots.size > 0) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  /** Nobody waits any longer for these; they are said again, unless something newer waits to be said. */
  #failed(batch: readonly Operation[], error: unknown): void {
    if (this.#stopped) return;
    for (const operation of batch) {
      answer(operation, { kind: 'unreachable' });
      const slot = this.#slots.get(operation.client.client_id);
      if (slot === undefined) continue;
      slot.running = null;
      slot.next ??= operation.kind === 'attach' ? { ...operation, waiting: null } : operation;
      this.#ready.add(operation.client.client_id);
    }
    if (this.#paused) return;
    this.#paused = true;
    const delayMs = this.#backoff.nextMs();
    const reason = error instanceof Error ? error.message : String(error);
    this.#deps.log.warn(
      { clients: this.#slots.size, retry_in_ms: Math.round(delayMs) },
      `Cannot say who is here: ${reason}`,
    );
    this.#deps.clock.timer(delayMs, () => {
      this.#paused = false;
      this.#schedule();
    });
  }
}

function answer(operation: Operation | null, outcome: AttachOutcome): void {
  if (operation?.kind === 'attach') operation.waiting?.(outcome);
}

function same(a: AttachedClient, b: AttachedClient): boolean {
  return a.instance_id === b.instance_id && a.connect_seq === b.connect_seq;
}

function named({ client_id, instance_id, connect_seq }: AttachedClient): Omit<AttachedClient, 'generation'> {
  return { client_id, instance_id, connect_seq };
}
