import type { ClientHttp2Session } from 'node:http2';
import { StreamRefused } from './stream-refused.ts';

export interface SessionPoolDeps {
  /** Makes a session; its time-out is its own. */
  connect: (signal: AbortSignal) => Promise<ClientHttp2Session>;
  /** Milliseconds of a clock that never goes back. */
  now: () => number;
}

export interface SessionPoolOptions {
  /** Sessions that are opened before the first of them has to be shared by many: one loss then costs fewer tunnels. */
  sessionsMin: number;
  sessionsMax: number;
  /** Streams on one session before another one is dialled. */
  streamsMax: number;
  /** Streams on one session once there are `sessionsMax`. */
  streamsFullMax: number;
  /** A session without streams is closed after this. */
  idleMs: number;
}

/** The right to open one stream. */
export interface PoolLease {
  readonly session: ClientHttp2Session;
  /** Called once, when the stream has closed or was never opened. */
  release(): void;
}

export interface PoolSnapshot {
  sessions: number;
  dialling: number;
  activeStreams: number;
  /** Active streams by what the pool may have at most: 0 to 1. */
  utilization: number;
  failedDials: number;
}

interface Member {
  session: ClientHttp2Session;
  active: number;
  idleSinceMs: number;
}

interface Waiter {
  resolve: (lease: PoolLease) => void;
  reject: (error: unknown) => void;
}

/**
 * Sessions to one peer. A stream goes to the session with the fewest; when all have `streamsMax` another one is
 * dialled; when there are `sessionsMax` they take more each, up to `streamsFullMax`, and then the pool is busy.
 */
export class SessionPool {
  readonly #deps: SessionPoolDeps;
  readonly #options: SessionPoolOptions;
  readonly #members = new Set<Member>();
  readonly #waiters = new Set<Waiter>();
  readonly #aborter = new AbortController();
  #dialling = 0;
  #failedDials = 0;

  constructor(deps: SessionPoolDeps, options: SessionPoolOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Gives a place on a session, waiting for a dial when every session is full.
   *
   * @throws {StreamRefused} `busy` when the pool is full, `lost` when the peer cannot be reached or the pool is closed;
   *   the signal's reason when it aborts first
   */
  async acquire(signal: AbortSignal): Promise<PoolLease> {
    signal.throwIfAborted();
    if (this.#aborter.signal.aborted) throw closed();
    const best = this.#leastLoaded();
    if (best !== null) {
      if (best.active > 0 && this.#size < this.#options.sessionsMin) this.#dial();
      return this.#lease(best);
    }
    const room = this.#options.sessionsMax - this.#members.size;
    if (this.#waiters.size >= room * this.#options.streamsFullMax) throw busy();
    // As many dials as the streams that wait will fill.
    if (this.#waiters.size >= this.#dialling * this.#options.streamsMax && this.#size < this.#options.sessionsMax) {
      this.#dial();
    }
    return this.#wait(signal);
  }

  /** Closes sessions that have been idle for too long. Called now and then by the owner's timer. */
  sweep(): void {
    const before = this.#deps.now() - this.#options.idleMs;
    for (const member of this.#members) {
      if (member.active === 0 && member.idleSinceMs <= before) member.session.close();
    }
  }

  /** Ends every session with its streams; `acquire` fails from now on. */
  close(): void {
    if (this.#aborter.signal.aborted) return;
    this.#aborter.abort(closed());
    for (const member of [...this.#members]) member.session.destroy();
    this.#rejectWaiters(closed());
  }

  snapshot(): PoolSnapshot {
    let activeStreams = 0;
    for (const member of this.#members) activeStreams += member.active;
    const { sessionsMax, streamsFullMax } = this.#options;
    return {
      sessions: this.#members.size,
      dialling: this.#dialling,
      activeStreams,
      utilization: activeStreams / (sessionsMax * streamsFullMax),
      failedDials: this.#failedDials,
    };
  }

  get #size(): number {
    return this.#members.size + this.#dialling;
  }

  #leastLoaded(): Member | null {
    const { sessionsMax, streamsMax, streamsFullMax } = this.#options;
    const limit = this.#members.size < sessionsMax ? streamsMax : streamsFullMax;
    let best: Member | null = null;
    for (const member of this.#members) {
      if (member.session.closed || member.session.destroyed || member.active >= limit) continue;
      if (best === null || member.active < best.active) best = member;
    }
    return best;
  }

  #lease(member: Member): PoolLease {
    member.active += 1;
    let released = false;
    return {
      session: member.session,
      release: () => {
        if (released) return;
        released = true;
        member.active -= 1;
        if (member.active === 0) member.idleSinceMs = this.#deps.now();
        this.#serveWaiters();
      },
    };
  }

  #wait(signal: AbortSignal): Promise<PoolLease> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.reject(signal.reason);
      const leave = (): void => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        resolve: (lease) => {
          leave();
          resolve(lease);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', onAbort);
    });
  }

  #dial(): void {
    this.#dialling += 1;
    this.#deps.connect(this.#aborter.signal).then(
      (session) => {
        this.#dialling -= 1;
        if (this.#aborter.signal.aborted) session.destroy();
        else this.#add(session);
      },
      (error: unknown) => {
        this.#dialling -= 1;
        this.#failedDials += 1;
        // Others may still come; the last one that fails takes those that wait with it.
        if (this.#dialling > 0) return;
        const message = error instanceof Error ? error.message : 'The other relay cannot be reached';
        this.#rejectWaiters(new StreamRefused('lost', message, { cause: error }));
      },
    );
  }

  #add(session: ClientHttp2Session): void {
    const member: Member = { session, active: 0, idleSinceMs: this.#deps.now() };
    this.#members.add(member);
    session.once('close', () => this.#members.delete(member));
    this.#serveWaiters();
    if (this.#waiters.size === 0 || this.#dialling > 0) return;
    // Another dial on which they counted has failed.
    if (this.#members.size < this.#options.sessionsMax) this.#dial();
    else this.#rejectWaiters(busy());
  }

  #serveWaiters(): void {
    for (const waiter of this.#waiters) {
      const best = this.#leastLoaded();
      if (best === null) return;
      waiter.resolve(this.#lease(best));
    }
  }

  #rejectWaiters(error: StreamRefused): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}

function busy(): StreamRefused {
  return new StreamRefused('busy', 'All connections to the other relay are full');
}

function closed(): StreamRefused {
  return new StreamRefused('lost', 'The other relay is no longer there');
}
