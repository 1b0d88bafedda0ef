import { randomBytes } from 'node:crypto';
import type { ClientHttp2Stream } from 'node:http2';
import { makeUlid } from '@tunnox/domain/ulid';
import { HEADER } from '@tunnox/protocol/names';
import { openTunnelStream } from '@tunnox/streams/open-tunnel-stream';
import { StreamRefused } from '@tunnox/streams/stream-refused';
import { backoffDelayMs } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import type { SourceBinding } from '../config/binding-table.ts';
import type { Identity } from '../identity/identity.ts';
import type { Connector } from '../link/connector.ts';
import type { Link } from '../link/link.ts';
import { makeProof } from '../proof.ts';
import { STABLE_MS } from '../state.ts';

/** A local connection waits this long for a relay that is being sought, then it is reset. */
const LINK_WAIT_MS = 5_000;

/** Tunnels on a connection that was left because of a drain: its relay ends them at its own deadline, or here. */
const DRAIN_DEADLINE_MS = 300_000;

export interface VisitorDeps {
  connector: Connector;
  identity: Identity;
  clock: Clock;
  random: () => number;
  /** Asks for a new ticket: the serving connection may stand for long before it needs one. */
  renew: () => void;
}

/**
 * The agent's visiting connection, on which it opens tunnels of private mappings of which it is the source: kept up, at
 * whichever relay, while there are such mappings.
 */
export class Visitor {
  readonly #deps: VisitorDeps;
  readonly #onChange: () => void;
  #running: AbortController | null = null;
  #link: Link | null = null;
  /** Every connection that may still carry tunnels. */
  readonly #open = new Set<Link>();
  #waiting = new Set<() => void>();
  #wake: (() => void) | null = null;
  /** The next pause is left out. */
  #hurried = false;

  /** @param onChange Called when the connection comes or goes. */
  constructor(deps: VisitorDeps, onChange: () => void) {
    this.#deps = deps;
    this.#onChange = onChange;
  }

  get connected(): boolean {
    return this.#link !== null;
  }

  /** Keeps the connection from now on; does nothing when it does already. */
  start(): void {
    if (this.#running !== null) return;
    this.#running = new AbortController();
    void this.#run(this.#running.signal);
  }

  stop(): void {
    this.#running?.abort();
    this.#running = null;
    this.#link = null;
    for (const link of this.#open) link.destroy();
    this.#settleWaiting();
  }

  /** Something says that a connection may be dead, or may succeed now. */
  check(timeoutMs: number): void {
    this.#link?.check(timeoutMs);
    this.tryNow();
  }

  /** Something says that a connection may succeed now. */
  tryNow(): void {
    if (this.#wake !== null) this.#wake();
    // The round that runs may have begun too early.
    else if (this.#link === null) this.#hurried = true;
  }

  /**
   * Opens a tunnel to the target of `binding`.
   *
   * @throws {StreamRefused} with the cause
   */
  async open(binding: SourceBinding, signal: AbortSignal): Promise<ClientHttp2Stream> {
    const link = await this.#connectedLink(signal);
    try {
      return await this.#openOn(link, binding, signal);
    } catch (error) {
      // The relay was dead already, nobody had noticed: nothing has been answered, the next relay may be tried.
      if (!link.closed || signal.aborted) throw error;
      return this.#openOn(await this.#connectedLink(signal), binding, signal);
    }
  }

  async #openOn(link: Link, binding: SourceBinding, signal: AbortSignal): Promise<ClientHttp2Stream> {
    const { identity } = this.#deps;
    const session = link.visiting;
    const clientId = identity.session?.client_id;
    if (session === null || clientId === undefined) throw new StreamRefused('lost', 'No relay is connected');
    const tunnelId = makeUlid(Date.now(), randomBytes(16));
    const proof = makeProof(binding.secret, binding.binding_id, String(clientId), tunnelId);
    const headers = { [HEADER.tunnel]: tunnelId, [HEADER.proof]: proof };
    const stream = await openTunnelStream(session, binding.binding_id, headers, signal);
    link.track(stream);
    return stream;
  }

  #connectedLink(signal: AbortSignal): Promise<Link> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (this.#link !== null) return Promise.resolve(this.#link);
    // Its mapping ended at this moment: nobody seeks a connection any more.
    if (this.#running === null) return Promise.reject(new StreamRefused('lost', 'The mapping has ended'));
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        timer.cancel();
        this.#waiting.delete(settle);
        signal.removeEventListener('abort', settle);
        if (this.#link !== null) resolve(this.#link);
        else reject(new StreamRefused('lost', 'No relay is connected'));
      };
      const timer = this.#deps.clock.timer(LINK_WAIT_MS, settle);
      this.#waiting.add(settle);
      signal.addEventListener('abort', settle, { once: true });
    });
  }

  #settleWaiting(): void {
    for (const settle of [...this.#waiting]) settle();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { connector, identity, clock } = this.#deps;
    const avoid = new Set<string>();
    let attempt = 0;
    while (!signal.aborted) {
      const { ticket, session } = identity;
      if (ticket !== null && session !== null) {
        const outcome = await connector.connect('visit', ticket, session.relays, avoid, signal);
        if (outcome.kind === 'welcomed') {
          const { link } = outcome;
          if (signal.aborted) return link.destroy();
          const sinceMs = clock.now();
          await this.#use(link, avoid, signal);
          attempt = clock.now() - sinceMs >= STABLE_MS ? 0 : attempt + 1;
        } else {
          attempt += 1;
          if (outcome.kind === 'refused') {
            identity.rejectTicket(ticket);
            // The new ticket takes longer than no pause at all.
            this.#hurried = false;
            this.#deps.renew();
          }
        }
      } else {
        attempt += 1;
      }
      if (attempt > 0) await this.#pause(backoffDelayMs(attempt, this.#deps.random), signal);
    }
  }

  /** Resolves when another connection is needed. One that drains serves on until the next one stands. */
  #use(link: Link, avoid: Set<string>, signal: AbortSignal): Promise<void> {
    const previous = this.#link;
    this.#link = link;
    this.#hurried = false;
    this.#open.add(link);
    void link.gone.then(() => this.#open.delete(link));
    avoid.clear();
    this.#settleWaiting();
    this.#onChange();
    previous?.retire(DRAIN_DEADLINE_MS);
    return new Promise((resolve) => {
      link.listen({
        message: (message) => {
          if (message.type !== 'drain') return;
          avoid.add(link.nodeId);
          resolve();
        },
        closed: () => {
          if (this.#link === link) {
            this.#link = null;
            if (!signal.aborted) this.#onChange();
          }
          resolve();
        },
      });
    });
  }

  #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    if (this.#hurried) {
      this.#hurried = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const settle = (): void => {
        timer.cancel();
        this.#wake = null;
        signal.removeEventListener('abort', settle);
        resolve();
      };
      const timer = this.#deps.clock.timer(delayMs, settle);
      this.#wake = settle;
      signal.addEventListener('abort', settle, { once: true });
      if (signal.aborted) settle();
    });
  }
}
