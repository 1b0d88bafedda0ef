import type { Upstream } from '../upstream/upstream.ts';

export interface Candidate {
  upstream: Upstream;
  /** Share among candidates of the same priority; 0: only when no other is left. */
  weight: number;
  /** Lower comes first. */
  priority: number;
}

/**
 * Orders candidates for one tunnel, best first: by priority, then drawn by weight without putting back, as for SRV
 * records.
 *
 * @param random 0 (included) to 1
 * @see RFC 2782
 */
export function orderUpstreams(candidates: readonly Candidate[], random: () => number): Upstream[] {
  const left = [...candidates].sort((a, b) => a.priority - b.priority || b.weight - a.weight);
  const ordered: Upstream[] = [];
  while (left[0] !== undefined) {
    const priority = left[0].priority;
    const others = left.findIndex((candidate) => candidate.priority !== priority);
    const group = others === -1 ? left.length : others;
    const [drawn] = left.splice(draw(left, group, random), 1);
    if (drawn !== undefined) ordered.push(drawn.upstream);
  }
  return ordered;
}

/** Index among the first `count` candidates, each with its weight's share. */
function draw(candidates: readonly Candidate[], count: number, random: () => number): number {
  let sum = 0;
  for (let index = 0; index < count; index++) sum += candidates[index]?.weight ?? 0;
  let point = random() * sum;
  for (let index = 0; index < count; index++) {
    point -= candidates[index]?.weight ?? 0;
    if (point < 0) return index;
  }
  return 0;
}
