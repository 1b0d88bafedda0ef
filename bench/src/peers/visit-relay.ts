import type { StackRelay } from '@tunnox/devstack/stack-file';
import { waitFor } from '@tunnox/testing/wait-for';

const TIMEOUT_MS = 10_000;

/** Visiting connections at each relay, by its own metrics. */
export async function visitSessions(relays: readonly StackRelay[]): Promise<number[]> {
  return Promise.all(relays.map(readVisitSessions));
}

/** Waits until there are as many visiting connections as `before`, everywhere. */
export async function visitsBackTo(relays: readonly StackRelay[], before: readonly number[]): Promise<void> {
  await waitFor(async () => (await visitSessions(relays)).every((count, index) => count === before[index]), TIMEOUT_MS);
}

/** The relay at which a visiting connection has come since `before` was read. */
export async function relayVisitedSince(relays: readonly StackRelay[], before: readonly number[]): Promise<StackRelay> {
  let visited: StackRelay | undefined;
  await waitFor(async () => {
    const now = await visitSessions(relays);
    visited = relays.find((_, index) => (now[index] ?? 0) > (before[index] ?? 0));
    return visited !== undefined;
  }, TIMEOUT_MS);
  if (visited === undefined) throw new Error('the source agent visits no relay');
  return visited;
}

async function readVisitSessions({ metrics }: StackRelay): Promise<number> {
  const answer = await fetch(`http://${metrics}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  return Number(/^tunnox_visit_sessions (\d+)$/m.exec(await answer.text())?.[1]);
}
