import type { OutboxDelivery } from '../delivery/change-delivery.ts';
import { healSessions, type HealSessionsDeps } from './heal-sessions.ts';
import type { NodeOwners, RelayNodeRepository, SweepRepository } from './live-ports.ts';
import type { LoginRepository } from './login-ports.ts';
import type { Log } from './node-ports.ts';
import { applyRetention, type RetentionRepository } from './retention.ts';
import type { RouteEndings } from './route-endings.ts';
import type { SigningKeyService } from './signing-key-service.ts';

export interface SweepDeps {
  delivery: OutboxDelivery;
  sweeps: SweepRepository;
  nodeRows: Pick<RelayNodeRepository, 'silentSince'>;
  nodes: Pick<NodeOwners, 'settle'>;
  sessions: HealSessionsDeps;
  routeEndings: Pick<RouteEndings, 'sweep'>;
  retention: RetentionRepository;
  logins: Pick<LoginRepository, 'removeEnded'>;
  signingKeys: Pick<SigningKeyService, 'sweep'>;
  /** Proofs of custom domains. */
  proofs: { sweep(): Promise<void> };
  /** Where custom domains lead. */
  setups: { sweep(): Promise<void> };
  /** DNS records that follow relays and domains. */
  dnsOwners: { sweep(): Promise<void> };
  /** Zones whose alarm was lost. */
  zones: { sweep(): Promise<void> };
  /** Certificates whose alarm was lost, and what their orders have left. */
  certificates: { sweep(): Promise<void> };
  log: Log;
  /** Milliseconds since 1970. */
  now: () => number;
}

export interface SweepOptions {
  leaseMs: number;
}

/** Relays report their load every minute; one that is silent for longer may have lost its alarm. */
const SILENCE_S = 90;

/**
 * What runs on a timer: it heals what a Worker or an alarm that died has left, and removes what has ended. Each part
 * runs whatever becomes of the others.
 */
export async function runSweep(deps: SweepDeps, options: SweepOptions): Promise<void> {
  const { delivery, sweeps, nodeRows, nodes, log } = deps;
  const parts: Record<string, () => Promise<unknown>> = {
    anonymous: async () => delivery.deliver(await sweeps.removeExpiredClients(), 0),
    outbox: () => delivery.sweep(),
    leases: async () => {
      const silent = await nodeRows.silentSince(Math.max(SILENCE_S, (2 * options.leaseMs) / 1000));
      await Promise.all(silent.map((nodeId) => nodes.settle(nodeId)));
    },
    sessions: () => healSessions(deps.sessions),
    // After the sessions: they say which agents have left.
    routes: () => deps.routeEndings.sweep(),
    logins: () => deps.logins.removeEnded(),
    'signing-keys': () => deps.signingKeys.sweep(),
    old: () => sweeps.removeOldRows(),
    retention: () => applyRetention(deps.retention, deps.now()),
    'dns-owners': () => deps.dnsOwners.sweep(),
    zones: () => deps.zones.sweep(),
    certificates: () => deps.certificates.sweep(),
    setups: () => deps.setups.sweep(),
    // Last: it waits for name servers of others.
    proofs: () => deps.proofs.sweep(),
  };
  const failures: unknown[] = [];
  for (const [name, run] of Object.entries(parts)) {
    try {
      await run();
    } catch (error) {
      failures.push(error);
      log.error({ err: String(error), part: name }, 'A part of the sweep failed');
    }
  }
  // The platform shows a failed run as such.
  if (failures.length > 0) throw new AggregateError(failures, 'A part of the sweep failed');
}
