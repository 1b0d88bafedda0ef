import { everyItem } from '@tunnox/api-client/every-item';
import type { ManagementApi } from '@tunnox/api-client/management-api';
import type { Mapping } from '@tunnox/domain/api/mappings';
import { formatHostPort, type TargetAddress } from '../target.ts';
import type { Tunnel } from './tunnel.ts';

/** A command that has failed does not wait for longer. */
const UNDO_TIMEOUT_MS = 5_000;

/**
 * Makes a public TCP port lead to this client's target. A port that is named is taken over when this client has it;
 * without one it is the port that leads to the target already, or a new one.
 *
 * @throws {ApiError} `port_taken`, `quota_exceeded`, `login_required`
 */
export async function ensurePublicPort(
  api: ManagementApi,
  clientId: number,
  target: TargetAddress,
  remotePort: number | undefined,
): Promise<Tunnel> {
  const own = (await mappingsOf(api, clientId)).filter(
    (each) => each.protocol === 'tcp' && each.source_client_id === null && each.target_client_id === clientId,
  );
  const known =
    remotePort === undefined
      ? own.find((each) => leadsTo(each, target))
      : own.find((each) => each.remote_port === remotePort);
  const mapping =
    known === undefined
      ? await api.mappings.create({
          protocol: 'tcp',
          target_client_id: clientId,
          target_host: target.host,
          target_port: target.port,
          ...(remotePort === undefined ? {} : { remote_port: remotePort }),
        })
      : await pointed(api, known, target);
  const [url = null] = mapping.urls;
  return {
    bindingId: `mapping:${mapping.mapping_id}`,
    url,
    urls: mapping.urls,
    target: formatHostPort(target.host, target.port),
  };
}

/**
 * Makes a local port of this client lead to a target behind another client of the same user. What the port led to
 * before is switched off: it can lead to one target only.
 *
 * @throws {ApiError} `not_found` when there is no such client, `quota_exceeded`, `login_required`
 */
export async function ensureForward(
  api: ManagementApi,
  clientId: number,
  wish: { toClientId: number; target: TargetAddress; localPort: number },
): Promise<Tunnel> {
  const { toClientId, target, localPort } = wish;
  const atPort = (await mappingsOf(api, clientId)).filter(
    (each) => each.source_client_id === clientId && each.local_port === localPort,
  );
  const usable = atPort.filter((each) => each.protocol === 'tcp' && each.target_client_id === toClientId);
  const known = usable.find((each) => leadsTo(each, target)) ?? usable[0];
  for (const other of atPort) {
    if (other !== known && other.enabled) await api.mappings.update(other.mapping_id, { enabled: false });
  }
  const mapping =
    known === undefined
      ? await api.mappings.create({
          protocol: 'tcp',
          source_client_id: clientId,
          target_client_id: toClientId,
          target_host: target.host,
          target_port: target.port,
          local_port: localPort,
        })
      : await pointed(api, known, target);
  return {
    bindingId: `mapping:${mapping.mapping_id}`,
    url: null,
    urls: [],
    target: `${formatHostPort(target.host, target.port)} behind client ${toClientId}`,
    localPort,
    ...(known === undefined
      ? { undo: () => api.mappings.delete(mapping.mapping_id, { signal: AbortSignal.timeout(UNDO_TIMEOUT_MS) }) }
      : {}),
  };
}

async function mappingsOf(api: ManagementApi, clientId: number): Promise<Mapping[]> {
  const found: Mapping[] = [];
  for await (const mapping of everyItem('mappings', (query) => api.clients.mappings(clientId, query)))
    found.push(mapping);
  return found;
}

/** The mapping, enabled and with this target. */
async function pointed(api: ManagementApi, mapping: Mapping, target: TargetAddress): Promise<Mapping> {
  if (mapping.enabled && leadsTo(mapping, target)) return mapping;
  return api.mappings.update(mapping.mapping_id, {
    target_host: target.host,
    target_port: target.port,
    enabled: true,
  });
}

function leadsTo(mapping: Mapping, target: TargetAddress): boolean {
  return mapping.target_host === target.host && mapping.target_port === target.port;
}
