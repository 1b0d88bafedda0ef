import type { ClientPolicy } from '@tunnox/domain/policy';
import type { ConfigProblem, PushOutcome } from '../services/live-ports.ts';

/** Whether `next` may follow `held`: reads of Postgres can overtake each other on their way. */
export function mayFollow(held: ClientPolicy | null, next: ClientPolicy): boolean {
  if (held === null) return true;
  if (next.generation !== held.generation) return next.generation > held.generation;
  return next.config_version >= held.config_version;
}

/** What an agent's report says about the configuration that somebody waits for. */
export function outcomeOf(problems: ConfigProblem[]): PushOutcome {
  return { state: problems.length === 0 ? 'applied' : 'failed', problems };
}
