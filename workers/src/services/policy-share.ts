import type { ClientPolicy, LedgerWord } from '@tunnox/domain/policy';
import type { LedgerEntry, LedgerLimits, LedgerShare } from './ledger-ports.ts';

/** Where a client is attached, and since which change of its presence. */
export interface LedgerPlace {
  node_id: string;
  incarnation: string;
  order: number;
}

/** Whether somebody has to be asked what this client may have of its user's limits. */
export function needsLedger(policy: ClientPolicy): policy is ClientPolicy & { user_id: number } {
  const limits = limitsOf(policy);
  return policy.user_id !== null && !isUnlimited(limits);
}

export function isUnlimited(limits: LedgerLimits): boolean {
  return limits.total_bandwidth_bytes_per_s === null && limits.max_active_mappings === null;
}

export function toLedgerEntry(policy: ClientPolicy, place: LedgerPlace): LedgerEntry {
  const { client_id, config_version } = policy;
  return { client_id, ...place, config_version, limits: limitsOf(policy), bindings: servedBindings(policy) };
}

/** The policy with what the ledger has decided; as it is when the decision was made for other limits, or before it. */
export function withShare(policy: ClientPolicy, share: LedgerShare | null): ClientPolicy {
  if (share === null || share.version <= (policy.limits.ledger?.version ?? 0)) return policy;
  const limits = limitsOf(policy);
  const same =
    limits.max_active_mappings === share.limits.max_active_mappings &&
    limits.total_bandwidth_bytes_per_s === share.limits.total_bandwidth_bytes_per_s;
  if (!same) return policy;
  const { version, bandwidth_bytes_per_s, waiting_bindings } = share;
  const ledger: LedgerWord = { version, ...limits, waiting_bindings };
  return { ...policy, limits: { ...policy.limits, bandwidth_bytes_per_s, ledger } };
}

/** What of a ledger's decision stands in a policy; null: none was asked. */
export function shareIn(policy: ClientPolicy): LedgerShare | null {
  const { ledger, bandwidth_bytes_per_s } = policy.limits;
  if (ledger === undefined || ledger.version === 0) return null;
  const { version, waiting_bindings } = ledger;
  return { client_id: policy.client_id, version, limits: limitsOf(policy), bandwidth_bytes_per_s, waiting_bindings };
}

/** The same for an anonymous client, which has nobody to share with: its oldest bindings are active. */
export function withoutOthers(policy: ClientPolicy): ClientPolicy {
  const { max_active_mappings: max } = limitsOf(policy);
  const { ledger } = policy.limits;
  if (policy.user_id !== null || max === null || ledger === undefined) return policy;
  const waiting_bindings = servedBindings(policy).slice(max);
  return { ...policy, limits: { ...policy.limits, ledger: { ...ledger, waiting_bindings } } };
}

function limitsOf({ limits }: ClientPolicy): LedgerLimits {
  return {
    total_bandwidth_bytes_per_s: limits.ledger?.total_bandwidth_bytes_per_s ?? null,
    max_active_mappings: limits.ledger?.max_active_mappings ?? null,
  };
}

/** Enabled bindings that the client serves, the oldest first. */
function servedBindings({ client_id, bindings }: ClientPolicy): string[] {
  return bindings
    .filter(({ enabled, upstreams }) => enabled && upstreams.some((upstream) => upstream.client_id === client_id))
    .map(({ binding_id }) => binding_id)
    .sort((a, b) => numberOf(a) - numberOf(b) || (a < b ? -1 : 1));
}

function numberOf(bindingId: string): number {
  return Number(bindingId.slice(bindingId.indexOf(':') + 1));
}
