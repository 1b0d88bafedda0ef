import type { ClientPolicy } from '@tunnox/domain/policy';

/** Whether a policy of a client says less than another one: by configuration first, then by the ledger's word. */
export function isOlder(policy: ClientPolicy, other: ClientPolicy): boolean {
  if (policy.config_version !== other.config_version) return policy.config_version < other.config_version;
  return (policy.limits.ledger?.version ?? 0) < (other.limits.ledger?.version ?? 0);
}
