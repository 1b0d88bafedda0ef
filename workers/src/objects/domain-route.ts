import { DurableObject } from 'cloudflare:workers';
import { hasEnded } from '@tunnox/domain/binding';
import type { RouteRecord } from '@tunnox/route-store/route-store';
import type { Env } from '../env.ts';
import { storedState, type StoredState } from './object-state.ts';
import { newerRoute } from './newer-route.ts';

const SCHEMA_VERSION = 1;

/**
 * Owner of one endpoint's routing state: its binding, or the tombstone of a deleted one. There is one for each endpoint
 * that exists or existed, filled by whoever first asks Postgres, fed by the outbox.
 */
export class DomainRoute extends DurableObject<Env> {
  readonly #state: StoredState<RouteRecord | null>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#state = storedState<RouteRecord | null>(ctx.storage, SCHEMA_VERSION, null);
  }

  /** null: never filled. */
  get(): RouteRecord | null {
    const held = this.#state.load();
    return held === null ? null : atThisMoment(held);
  }

  /** Takes the record unless it is older than what is held. @returns What is held now. */
  offer(record: RouteRecord): RouteRecord {
    const held = this.#state.load();
    if (held !== null && !newerRoute(held, record)) return atThisMoment(held);
    this.#state.save(record);
    return atThisMoment(record);
  }
}

/** A binding whose time is over is as good as deleted, whoever comes late with the word. */
function atThisMoment(record: RouteRecord): RouteRecord {
  const { version, binding } = record;
  return binding !== null && hasEnded(binding, Date.now()) ? { version, binding: null } : record;
}
