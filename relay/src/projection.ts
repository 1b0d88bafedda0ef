import type { NodeIdentity } from '@tunnox/certificates/node-identity';
import type { NodeAddress } from '@tunnox/domain/presence';
import type { RegisterAnswer } from '@tunnox/domain/relay-api';
import { openIoredisRouteStore } from '@tunnox/route-store/ioredis-route-store';
import type { RouteStore } from '@tunnox/route-store/route-store';
import { openUpstashRouteStore } from '@tunnox/route-store/upstash-route-store';
import type { RelayConfig } from './config.ts';

/** Opens the second tier of look-ups; null where none is configured. */
export function openProjection(redis: RelayConfig['redis']): RouteStore | null {
  switch (redis.kind) {
    case 'none':
      return null;
    case 'plain':
      return openIoredisRouteStore({ url: redis.url });
    case 'upstash':
      return openUpstashRouteStore({ url: redis.url, token: redis.token });
  }
}

/** This relay as others see it; the control plane makes the same of the registration. */
export function ownAddress(config: RelayConfig, identity: NodeIdentity, answer: RegisterAnswer): NodeAddress {
  const { publicAddress, internalAddress, ports, region } = config;
  return {
    node_id: answer.node_id,
    incarnation: answer.incarnation,
    group: answer.group,
    region,
    bridge: hostPort(internalAddress ?? publicAddress, ports.bridge),
    agent_tcp: hostPort(publicAddress, ports.agentTcp),
    agent_ws: hostPort(publicAddress, ports.agentWs),
    fingerprint: identity.fingerprint,
    status: 'online',
  };
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
