import type { RouteRecord } from '@tunnox/route-store/route-store';

/** Whether `next` says more than `held`: a newer version, or the deletion of the same. */
export function newerRoute(held: RouteRecord, next: RouteRecord): boolean {
  if (next.version !== held.version) return next.version > held.version;
  return next.binding === null && held.binding !== null;
}
