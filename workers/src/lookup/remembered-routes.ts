import { type Binding, hasEnded } from '@tunnox/domain/binding';

/** About half a kilobyte each. */
const ROUTES_MAX = 5_000;

/**
 * The routes that this isolate has answered last, for times when Postgres, their only owner, is away. What is wrong with
 * them then the agent's relay says, which knows its client's bindings. Bounded: the oldest are forgotten.
 */
export class RememberedRoutes {
  readonly #now: () => number;
  readonly #routes = new Map<string, Binding>();

  constructor(now: () => number) {
    this.#now = now;
  }

  find(endpoint: string): Binding | null {
    const known = this.#routes.get(endpoint);
    return known === undefined || hasEnded(known, this.#now()) ? null : known;
  }

  keep(endpoint: string, binding: Binding): void {
    this.#routes.delete(endpoint);
    this.#routes.set(endpoint, binding);
    for (const oldest of this.#routes.keys()) {
      if (this.#routes.size <= ROUTES_MAX) return;
      this.#routes.delete(oldest);
    }
  }

  forget(endpoint: string): void {
    this.#routes.delete(endpoint);
  }
}
