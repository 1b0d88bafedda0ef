import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { Env } from '../env.ts';
import type { NodeOwners, NodeRegistry, PresenceOwners, RouteOwners } from '../services/live-ports.ts';
import { clientPresenceStub, domainRouteStub, nodeDirectoryStub, relayNodeStub } from './object-stubs.ts';

/** The Durable Objects behind the services' ports. */
export interface ObjectOwners {
  routes: RouteOwners;
  presences: PresenceOwners;
  nodes: NodeOwners;
  registry: NodeRegistry;
}

export function createObjectOwners(env: Env): ObjectOwners {
  return {
    routes: {
      get: async (endpoint) => domainRouteStub(env, endpoint).get(),
      offer: async (endpoint, record) => domainRouteStub(env, endpoint).offer(record),
    },
    presences: {
      attach: async (event) => clientPresenceStub(env, event.client_id).attach(event),
      detach: async (clientId, event) => clientPresenceStub(env, clientId).detach(clientId, event),
      locate: async (clientId) => clientPresenceStub(env, clientId).locate(),
      remember: async (policy) => clientPresenceStub(env, policy.client_id).remember(policy),
      push: async (policy, waitMs) => clientPresenceStub(env, policy.client_id).push(policy, waitMs),
      expel: async (clientId, event, code, message) =>
        clientPresenceStub(env, clientId).expel(clientId, event, code, message),
    },
    nodes: {
      register: async (profile) => relayNodeStub(env, profile.node_id).register(profile),
      touch: async (nodeId, incarnation) => relayNodeStub(env, nodeId).touch(incarnation),
      locate: async (nodeId, incarnation) => relayNodeStub(env, nodeId).locate(incarnation),
      drain: async (nodeId, deadlineMs) => relayNodeStub(env, nodeId).drain(deadlineMs),
      noteClients: async (nodeId, incarnation, attached, detached) =>
        relayNodeStub(env, nodeId).noteClients(incarnation, attached, detached),
      notedClients: async (nodeId) => relayNodeStub(env, nodeId).notedClients(),
      settle: async (nodeId) => relayNodeStub(env, nodeId).settle(),
      openSession: async (request, nodeId, incarnation, lastSeq) => {
        const url = new URL(request.url);
        url.search = new URLSearchParams({ incarnation, last_seq: String(lastSeq) }).toString();
        const response = await relayNodeStub(env, nodeId).fetch(new Request(url, request));
        if (response.status === 401)
          throw new TunnoxError('unauthenticated', `Another run of ${nodeId} is registered now`);
        return response;
      },
    },
    registry: {
      present: async (fingerprint, assertion) => nodeDirectoryStub(env).present(fingerprint, assertion),
      allocate: async (fingerprint, group, assertion) => nodeDirectoryStub(env).allocate(fingerprint, group, assertion),
      peers: async () => nodeDirectoryStub(env).peers(),
    },
  };
}
