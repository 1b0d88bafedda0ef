import type { RunKind } from './run-scope.ts';
import { LEASE_S } from './zone-lease.ts';
import { ZoneRun } from './zone-run.ts';
import type { FinishedRun, ZoneOpener, ZoneRunRepository } from './zone-run-ports.ts';

export interface ReconcileDeps {
  zones: ZoneRunRepository;
  opener: ZoneOpener;
  sha256Hex: (text: string) => Promise<string>;
}

export interface ReconcileRequest {
  zoneId: number;
  /** Names the run in the lease, for people. */
  holder: string;
  kind: RunKind;
  /** Hash of a plan that the guard has refused: this one may pass. */
  confirm?: string | undefined;
  adoptIdentical?: boolean | undefined;
  signal: AbortSignal;
}

export type ReconcileOutcome =
  | { kind: 'busy' }
  /** Nothing was due: no call was made, and no run is kept. */
  | { kind: 'idle' }
  | { kind: 'ran'; runId: number; run: FinishedRun }
  /** Somebody else has taken the zone over in the middle. */
  | { kind: 'lost' };

/** One run over one zone, under its lease: list, plan, guard, apply, write. */
export async function reconcileZone(deps: ReconcileDeps, request: ReconcileRequest): Promise<ReconcileOutcome> {
  const { zones } = deps;
  const { zoneId, kind } = request;
  if (kind === 'due' && (await zones.outlook(zoneId))?.isDue !== true) return { kind: 'idle' };
  const zone = await zones.take(zoneId, request.holder, LEASE_S);
  if (zone === null) return { kind: 'busy' };
  try {
    return await new ZoneRun(deps, request, zone).run();
  } finally {
    // Should it fail, the lease ends by itself; what went wrong before is what matters.
    await zones.release(zoneId, zone.fence).catch(() => {});
  }
}
