import type { Mapping } from '@tunnox/domain/api/mappings';
import type { Presence } from '@tunnox/domain/presence';
import type { UpstreamRow } from './binding-ports.ts';

/** What of a mapping or a domain depends on who is attached. */
export interface BindingState {
  status: Mapping['status'];
  problems: Mapping['problems'];
  upstreams: Mapping['upstreams'];
}

/**
 * @param presences Of the upstreams and the source that are attached.
 * @param waits Others of the user's bindings have the places of those that may be active.
 */
export function bindingState(
  binding: { enabled: boolean; upstreams: UpstreamRow[]; problems: Mapping['problems'] },
  presences: ReadonlyMap<number, Presence>,
  waits: boolean,
): BindingState {
  const upstreams = binding.upstreams.map((row) => ({ ...row, online: presences.has(row.client_id) }));
  const status = statusOf(binding, upstreams, presences);
  const attached = upstreams.find(({ online }) => online);
  if (!waits || attached === undefined || (status !== 'active' && status !== 'error')) {
    return { upstreams, status, problems: binding.problems };
  }
  const problem = { client_id: attached.client_id, code: 'active_limit', message: WAITS };
  return { upstreams, status: status === 'active' ? 'inactive' : status, problems: [...binding.problems, problem] };
}

const WAITS = 'It waits: others of the owner have the places of those that may be active at once (max_active_mappings)';

/** Clients whose presence `bindingState()` needs. */
export function concernedClients(record: { upstreams: UpstreamRow[]; source_client_id?: number | null }): number[] {
  const source = record.source_client_id ?? null;
  return [...record.upstreams.map(({ client_id }) => client_id), ...(source === null ? [] : [source])];
}

function statusOf(
  { enabled, problems }: { enabled: boolean; problems: { client_id: number }[] },
  upstreams: { online: boolean }[],
  presences: ReadonlyMap<number, Presence>,
): Mapping['status'] {
  if (!enabled) return 'disabled';
  // What an agent could not do when it was here last says nothing while it is away.
  if (problems.some(({ client_id }) => presences.has(client_id))) return 'error';
  return upstreams.some(({ online }) => online) ? 'active' : 'inactive';
}
