import { everyItem, type ManagementApi } from '@tunnox/api-client/management-api';
import type { CreateMapping, Mapping } from '@tunnox/domain/api/mappings';
import { formatHostPort, type TargetAddress } from '../target.ts';
import type { Tunnel } from './tunnel.ts';

/**
 * Makes a public TCP port lead to this client's target: one that does so already, or a new one.
 *
 * @throws {ApiError} `port_taken`, `quota_exceeded`, `login_required`
 */
export async function ensurePublicPort(
  api: ManagementApi,
  clientId: number,
  target: TargetAddress,
  remotePort: number | undefined,
): Promise<Tunnel> {
  const mapping = await ensure(
    api,
    clientId,
    (each) =>
      each.protocol === 'tcp' &&
      each.source_client_id === null &&
      each.target_client_id === clientId &&
      (remotePort === undefined || each.remote_port === remotePort) &&
      leadsTo(each, target),
    {
      protocol: 'tcp',
      target_client_id: clientId,
      target_host: target.host,
      target_port: target.port,
      ...(remotePort === undefined ? {} : { remote_port: remotePort }),
    },
  );
  const [url = null] = mapping.urls;
  return {
    bindingId: `mapping:${mapping.mapping_id}`,
    url,
    urls: mapping.urls,
    target: formatHostPort(target.host, target.port),
  };
}

/**
 * Makes a local port of this client lead to a target behind another client of the same user.
 *
 * @throws {ApiError} `not_found` when there is no such client, `quota_exceeded`, `login_required`
 */
export async function ensureForward(
  api: ManagementApi,
  clientId: number,
  wish: { toClientId: number; target: TargetAddress; localPort: number },
): Promise<Tunnel> {
  const { toClientId, target, localPort } = wish;
  const mapping = await ensure(
    api,
    clientId,
    (each) =>
      each.protocol === 'tcp' &&
      each.source_client_id === clientId &&
      each.target_client_id === toClientId &&
      each.local_port === localPort &&
      leadsTo(each, target),
    {
      protocol: 'tcp',
      source_client_id: clientId,
      target_client_id: toClientId,
      target_host: target.host,
      target_port: target.port,
      local_port: localPort,
    },
  );
  return {
    bindingId: `mapping:${mapping.mapping_id}`,
    url: null,
    urls: [],
    target: `${formatHostPort(target.host, target.port)} behind client ${toClientId}`,
    localPort,
  };
}

async function ensure(
  api: ManagementApi,
  clientId: number,
  isWanted: (mapping: Mapping) => boolean,
  wanted: CreateMapping,
): Promise<Mapping> {
  for await (const mapping of everyItem('mappings', (query) => api.clientMappings(clientId, query))) {
    if (!isWanted(mapping)) continue;
    return mapping.enabled ? mapping : api.updateMapping(mapping.mapping_id, { enabled: true });
  }
  return api.createMapping(wanted);
}

function leadsTo(mapping: Mapping, target: TargetAddress): boolean {
  return mapping.target_host === target.host && mapping.target_port === target.port;
}
