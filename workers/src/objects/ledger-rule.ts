/** Part of a bandwidth limit that is dealt out evenly, so that a node which was idle can begin at once. */
const EVEN_PART = 0.2;

/** Shares are dealt anew when one of them would move by more than this: each deal is told to relays. */
const MOVE_MIN = 0.1;

/**
 * Parts a user's bandwidth limit among the nodes that have clients of the user: a fifth evenly, the rest by what each
 * has used lately. The sum is at most the limit, and none gets nothing unless there are more nodes than bytes.
 *
 * @param limit Bytes a second.
 * @param uses Bytes a second that each node has moved lately.
 */
export function shareBandwidth(limit: number, uses: ReadonlyMap<string, number>): Map<string, number> {
  const nodes = [...uses].sort(([a], [b]) => (a < b ? -1 : 1));
  if (nodes.length <= 1) return new Map(nodes.map(([node]) => [node, limit]));
  const even = limit < nodes.length ? 0 : Math.max(1, Math.floor((limit * EVEN_PART) / nodes.length));
  const used = nodes.reduce((sum, [, use]) => sum + use, 0);
  const rest = limit - even * nodes.length;
  let left = rest;
  return new Map(
    nodes.map(([node, use]) => {
      const part = Math.min(left, Math.floor(rest * (used > 0 ? use / used : 1 / nodes.length)));
      left -= part;
      return [node, even + part];
    }),
  );
}

/**
 * Whether `next` is worth telling: other nodes, other than the whole limit dealt out, or a share that moves by more
 * than a tenth. It is told whole or not at all, so that what was told never adds up to more than the limit.
 */
export function isWorthTelling(told: ReadonlyMap<string, number>, next: ReadonlyMap<string, number>): boolean {
  if (told.size !== next.size) return true;
  for (const [node, share] of next) {
    const before = told.get(node);
    if (before === undefined || Math.abs(share - before) > before * MOVE_MIN) return true;
  }
  return false;
}

/**
 * Chooses who may be active: those who came first.
 *
 * @param max null = everybody.
 * @param seats When each binding came, as a number of the order.
 * @returns Those who have to wait, in the order in which their turn comes.
 */
export function whoWaits(max: number | null, seats: ReadonlyMap<string, number>): string[] {
  if (max === null || seats.size <= max) return [];
  const inOrder = [...seats].sort(([a, seatA], [b, seatB]) => seatA - seatB || (a < b ? -1 : 1));
  return inOrder.slice(max).map(([binding]) => binding);
}
