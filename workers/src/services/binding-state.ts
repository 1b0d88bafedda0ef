import type { Mapping } from '@tunnox/domain/api/mappings';
import type { Presence } from '@tunnox/domain/presence';
import type { UpstreamRow } from './binding-ports.ts';

/** What of a mapping or a domain depends on who is attached. */
export interface BindingState {
  status: Mapping['status'];
  upstreams: Mapping['upstreams'];
}

/** @param presences Of the upstreams and the source that are attached. */
export function bindingState(
  binding: { enabled: boolean; upstreams: UpstreamRow[]; problems: { client_id: number }[] },
  presences: ReadonlyMap<number, Presence>,
): BindingState {
  const upstreams = binding.upstreams.map((row) => ({ ...row, online: presences.has(row.client_id) }));
  return { upstreams, status: statusOf(binding, upstreams, presences) };
}

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
