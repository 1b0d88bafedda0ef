import type { Env } from '../env.ts';
import { nodeDirectoryStub, zoneReconcilerStub } from '../repositories/object-stubs.ts';
import { addressOf, type NodeState } from './node-state.ts';
import { objectServices } from './object-services.ts';
import type { StoredState } from './object-state.ts';

/** Tells the directory and Postgres of a node's status: one report at a time, the newest state last. */
export class NodeReporter {
  readonly #env: Env;
  readonly #state: StoredState<NodeState | null>;
  #running: Promise<void> | undefined;

  constructor(env: Env, state: StoredState<NodeState | null>) {
    this.#env = env;
    this.#state = state;
  }

  /** Resolves when all is told, or could not be; then the state's `reported` is still false. */
  async report(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let state = this.#state.load(); state !== null && !state.reported; state = this.#state.load()) {
      try {
        await nodeDirectoryStub(this.#env).report(addressOf(state));
        this.#wake(await objectServices(this.#env).nodes.save(state));
      } catch {
        // The alarm tries again.
        return;
      }
      const current = this.#state.load();
      if (current?.incarnation === state.incarnation && current.status === state.status) {
        this.#state.save({ ...current, reported: true });
      }
    }
  }

  /** Their records have changed. One that is not woken now is by the sweep. */
  #wake(zoneIds: readonly number[]): void {
    for (const zoneId of zoneIds)
      void zoneReconcilerStub(this.#env, zoneId)
        .wake(zoneId)
        .catch(() => {});
  }
}
