import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { Env } from '../env.ts';
import type { LedgerOwners } from '../services/ledger-ports.ts';
import type { NodeOwners, NodeRegistry, PresenceOwners, RouteOwners } from '../services/live-ports.ts';
import { callObject, callObjectOnce } from './object-call.ts';
import {
  clientPresenceStub,
  domainRouteStub,
  nodeDirectoryStub,
  relayNodeStub,
  usageLedgerStub,
} from './object-stubs.ts';

/** The Durable Objects behind the services' ports. */
export interface ObjectOwners {
  routes: RouteOwners;
  presences: PresenceOwners;
  nodes: NodeOwners;
  registry: NodeRegistry;
  ledgers: LedgerOwners;
}

export function createObjectOwners(env: Env): ObjectOwners {
  return {
    routes: {
      get: (endpoint) => callObject(async () => domainRouteStub(env, endpoint).get()),
      offer: (endpoint, record) => callObject(async () => domainRouteStub(env, endpoint).offer(record)),
    },
    presences: {
      attach: (event) => callObject(async () => clientPresenceStub(env, event.client_id).attach(event)),
      detach: (clientId, event) => callObject(async () => clientPresenceStub(env, clientId).detach(clientId, event)),
      locate: (clientId) => callObject(async () => clientPresenceStub(env, clientId).locate()),
      takeShare: (share) => callObject(async () => clientPresenceStub(env, share.client_id).takeShare(share)),
      remember: (policy) => callObject(async () => clientPresenceStub(env, policy.client_id).remember(policy)),
      push: (policy, waitMs) => callObject(async () => clientPresenceStub(env, policy.client_id).push(policy, waitMs)),
      expel: (clientId, event, code, message) =>
        callObject(async () => clientPresenceStub(env, clientId).expel(clientId, event, code, message)),
    },
    nodes: {
      register: (profile) => callObject(async () => relayNodeStub(env, profile.node_id).register(profile)),
      touch: (nodeId, incarnation) => callObject(async () => relayNodeStub(env, nodeId).touch(incarnation)),
      locate: (nodeId, incarnation) => callObject(async () => relayNodeStub(env, nodeId).locate(incarnation)),
      drain: (nodeId, deadlineMs) => callObject(async () => relayNodeStub(env, nodeId).drain(deadlineMs)),
      withdraw: (nodeId, incarnation) => callObject(async () => relayNodeStub(env, nodeId).withdraw(incarnation)),
      noteClients: (nodeId, incarnation, attached, detached) =>
        callObject(async () => relayNodeStub(env, nodeId).noteClients(incarnation, attached, detached)),
      notedClients: (nodeId) => callObject(async () => relayNodeStub(env, nodeId).notedClients()),
      forget: (nodeId) => callObject(async () => relayNodeStub(env, nodeId).forget()),
      settle: (nodeId) => callObject(async () => relayNodeStub(env, nodeId).settle()),
      openSession: async (request, nodeId, incarnation, lastSeq) => {
        const url = new URL(request.url);
        url.search = new URLSearchParams({ incarnation, last_seq: String(lastSeq) }).toString();
        const response = await callObjectOnce(() => relayNodeStub(env, nodeId).fetch(new Request(url, request)));
        if (response.status === 401)
          throw new TunnoxError('unauthenticated', `Another run of ${nodeId} is registered now`);
        return response;
      },
    },
    registry: {
      // An assertion counts once: a call that was carried out and comes again would be a replay.
      present: (fingerprint, assertion) =>
        callObjectOnce(async () => nodeDirectoryStub(env).present(fingerprint, assertion)),
      allocate: (fingerprint, group, assertion) =>
        callObjectOnce(async () => nodeDirectoryStub(env).allocate(fingerprint, group, assertion)),
      peers: () => callObject(async () => nodeDirectoryStub(env).peers()),
      free: (nodeId) => callObject(async () => nodeDirectoryStub(env).free(nodeId)),
      voidTickets: (voided) => callObject(async () => nodeDirectoryStub(env).voidTickets(voided)),
      tellKeys: (keys) => callObject(async () => nodeDirectoryStub(env).tellKeys(keys)),
    },
    ledgers: {
      admit: (userId, entries) => callObject(async () => usageLedgerStub(env, userId).admit(entries)),
      used: (userId, nodeId, bytesPerS) => callObject(async () => usageLedgerStub(env, userId).used(nodeId, bytesPerS)),
      waiting: (userId) => callObject(async () => usageLedgerStub(env, userId).waiting()),
    },
  };
}
