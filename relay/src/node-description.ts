import type { NodeIdentity } from '@tunnox/certificates/node-identity';
import type { NodeAddress } from '@tunnox/domain/presence';
import type { RegisterAnswer } from '@tunnox/domain/relay-api';
import type { RelayConfig } from './config.ts';
import type { NodeDescription } from './control-plane/registration.ts';

/** What this relay says of itself when it registers. */
export function describeNode(config: RelayConfig, version: string): NodeDescription {
  const { ports } = config;
  return {
    region: config.region,
    public_address: config.publicAddress,
    ...(config.publicIpv4 === null ? {} : { public_ipv4: config.publicIpv4 }),
    ...(config.publicIpv6 === null ? {} : { public_ipv6: config.publicIpv6 }),
    ...(config.internalAddress === null ? {} : { internal_address: config.internalAddress }),
    ...(config.joinToken === null ? {} : { join_token: config.joinToken }),
    ports: {
      agent_tcp: ports.agentTcp,
      agent_ws: ports.agentWs,
      http: ports.http,
      https: ports.https,
      bridge: ports.bridge,
      metrics: ports.metrics,
      public_from: ports.public.from,
      public_to: ports.public.to,
    },
    version,
  };
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
