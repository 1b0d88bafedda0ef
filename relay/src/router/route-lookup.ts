import type { LookupAnswer } from '@tunnox/domain/lookup';
import type { Clock } from '../clock.ts';
import { LookupGate } from './lookup-gate.ts';

/** The second tier: knows, or does not know; never says "no". */
export interface RouteProjection {
  /** Rejects when the store is away. */
  resolve(endpoint: string): Promise<LookupAnswer | null>;
}

/** The third tier: the owner of the fact. */
export interface RouteOwner {
  /** Rejects within a bounded time when the control plane is away. */
  lookup(endpoint: string): Promise<LookupAnswer>;
}

export interface RouteLookupDeps {
  clock: Clock;
  /** null: no second tier. */
  projection: RouteProjection | null;
  owner: RouteOwner;
}

export interface LookupWish {
  /** Skip the second tier: it may hold what has just been proved wrong. */
  askOwner: boolean;
  /** The name was served before: it does not queue behind a scan of names that nobody knows. */
  known: boolean;
}

/** A few look-ups at a time are enough for any honest load, and a scan cannot become the control plane's. */
const GATE = { runningMax: 48, waitingMax: 2000, waitMsMax: 3000 };

/** Second and third tier of a look-up. Questions about one endpoint at one time become one. */
export class RouteLookup {
  /** Totals since the start. */
  readonly counters = { projection: 0, projectionErrors: 0, owner: 0, ownerErrors: 0 };
  readonly #deps: RouteLookupDeps;
  readonly #running = new Map<string, Promise<LookupAnswer>>();
  readonly #knownGate: LookupGate;
  readonly #unknownGate: LookupGate;

  constructor(deps: RouteLookupDeps) {
    this.#deps = deps;
    this.#knownGate = new LookupGate(deps.clock, GATE);
    this.#unknownGate = new LookupGate(deps.clock, GATE);
  }

  /** Look-ups that run or wait. */
  get running(): number {
    return this.#running.size;
  }

  /** @throws when neither tier answers, or too many ask at once */
  find(endpoint: string, wish: LookupWish): Promise<LookupAnswer> {
    const key = wish.askOwner ? `! ${endpoint}` : endpoint;
    const same = this.#running.get(key);
    if (same !== undefined) return same;
    const gate = wish.known ? this.#knownGate : this.#unknownGate;
    const answer = gate.run(() => this.#ask(endpoint, wish)).finally(() => this.#running.delete(key));
    this.#running.set(key, answer);
    return answer;
  }

  async #ask(endpoint: string, wish: LookupWish): Promise<LookupAnswer> {
    const { projection, owner } = this.#deps;
    if (projection !== null && !wish.askOwner) {
      this.counters.projection++;
      try {
        const answer = await projection.resolve(endpoint);
        if (answer !== null) return answer;
      } catch {
        this.counters.projectionErrors++;
      }
    }
    this.counters.owner++;
    try {
      return await owner.lookup(endpoint);
    } catch (error) {
      this.counters.ownerErrors++;
      throw error;
    }
  }
}
