import type { Env } from '../env.ts';

/** The owner of an endpoint's routing state. Call it only for endpoints that Postgres knows, or knew. */
export function domainRouteStub(env: Env, endpoint: string) {
  return env.DOMAIN_ROUTE.getByName(endpoint);
}

/** The owner of a client's presence. */
export function clientPresenceStub(env: Env, clientId: number) {
  return env.CLIENT_PRESENCE.getByName(String(clientId));
}

/** The owner of a relay's liveness. */
export function relayNodeStub(env: Env, nodeId: string) {
  return env.RELAY_NODE.getByName(nodeId);
}

/** The owner of the node ids. */
export function nodeDirectoryStub(env: Env) {
  return env.NODE_DIRECTORY.getByName('cluster');
}

/** The owner of a user's limits over the whole cluster. */
export function usageLedgerStub(env: Env, userId: number) {
  return env.USAGE_LEDGER.getByName(String(userId));
}

/** The owner of a zone's runs. */
export function zoneReconcilerStub(env: Env, zoneId: number) {
  return env.ZONE_RECONCILER.getByName(String(zoneId));
}

/** The owner of the work on certificates. */
export function certificateWorkerStub(env: Env) {
  return env.CERTIFICATE_WORKER.getByName('cluster');
}

/** One of the places where requests are counted. */
export function rateLimiterStub(env: Env, shard: number) {
  return env.RATE_LIMITER.getByName(`shard-${shard}`);
}
