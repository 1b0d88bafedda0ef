import type { ManagementApi } from '@tunnox/api-client/management-api';
import type { Stack, StackRelay } from '@tunnox/devstack/stack-file';
import type { AgentProcess } from '@tunnox/testing/agent';
import { freePort } from '@tunnox/testing/free-port';
import { startStack, type RunningStack } from '@tunnox/testing/stack';
import type { ProcessGroup } from '../process-group.ts';
import type { Peer, Subject, Target } from '../subject.ts';
import { runManaged, type ManagedClient, type Transport } from './tunnox-agent.ts';
import { makeUser } from './tunnox-user.ts';
import { relayVisitedSince, visitsBackTo, visitSessions } from './visit-relay.ts';

/**
 * a: visitor → relay → agent → target. b: visitor → relay → bridge → relay → agent → target. c: source agent → relay →
 * target agent → target.
 */
export type Topology = 'a' | 'b' | 'c';

const HOST = '127.0.0.1';
/** Seven draws between two relays fail once in a hundred runs; the name says so then. */
const SOURCE_TRIES_MAX = 7;

/** Tunnox itself: a platform with two relays, and for each transport an agent at the target and one at the source. */
export function tunnoxPeer(name: string, transports: readonly Transport[], topologies: readonly Topology[]): Peer {
  return {
    name,
    start: async ({ group, target }) => {
      const platform = await startPlatform(group);
      const { user } = await makeUser(platform.stack);
      const subjects: Subject[] = [];
      for (const [index, transport] of transports.entries()) {
        const setup = new Setup(group, platform, user, target, transport, index);
        subjects.push(...(await setup.start(topologies)));
      }
      return { kind: 'ready', version: `this tree, ${platform.stack.relays.length} relays`, subjects };
    },
  };
}

/** Stopped with the group, also when that happens while it starts. */
async function startPlatform(group: ProcessGroup): Promise<RunningStack> {
  const home = await group.tempDir();
  const starting = startStack({ home, env: { TUNNOX_DEMO: 'off', TUNNOX_RESTART: 'off' } });
  group.defer(async () => {
    const started = await starting.catch(() => null);
    await started?.stop();
  });
  return starting;
}

interface Ports {
  bytes: number;
  http: number;
}

/** The agents of one transport and the ways that lead to them. */
class Setup {
  readonly #group: ProcessGroup;
  readonly #platform: RunningStack;
  readonly #user: ManagementApi;
  readonly #target: Target;
  readonly #transport: Transport;
  readonly #index: number;

  /** @param index Number of the transport, from 0: each has public ports of its own. */
  constructor(
    group: ProcessGroup,
    platform: RunningStack,
    user: ManagementApi,
    target: Target,
    transport: Transport,
    index: number,
  ) {
    this.#group = group;
    this.#platform = platform;
    this.#user = user;
    this.#target = target;
    this.#transport = transport;
    this.#index = index;
  }

  async start(topologies: readonly Topology[]): Promise<Subject[]> {
    const { relays } = this.#platform.stack;
    const client = await this.#user.clients.create({ client_name: `target-${this.#transport}` });
    const hostHeader = await this.#publishName(client);
    const ports = await Promise.all(relays.map((relay) => this.#publishPorts(client, relay)));
    const { agent, nodeId } = await runManaged(this.#group, this.#platform, client, this.#transport);
    const agentRelay = relayOf(this.#platform.stack, nodeId);
    const subjects: Subject[] = [];
    for (const [index, relay] of relays.entries()) {
      const topology = relay === agentRelay ? 'a' : 'b';
      const at = ports[index];
      if (at === undefined || !topologies.includes(topology)) continue;
      const visitorRelay = topology === 'a' ? {} : { 'visitor relay': [relay.pid] };
      const processes = { relay: [agentRelay.pid], ...visitorRelay, agent: [agent.pid] };
      const name = `tunnox ${topology} ${this.#transport}`;
      subjects.push(
        { name, layer: 'tcp', ...endpointsOf(at), processes },
        { name: `${name} http`, layer: 'http', http: { ...addressOf(relay.http), hostHeader }, processes },
      );
    }
    if (topologies.includes('c')) subjects.push(await this.#startSource(client, agentRelay, agent.pid));
    return subjects.toSorted((one, other) => one.name.localeCompare(other.name));
  }

  /** A host name that both relays serve. */
  async #publishName(client: ManagedClient): Promise<string> {
    const domain = await this.#user.domains.create({
      subdomain: `bench-${this.#transport}`,
      client_id: client.client_id,
      target_host: HOST,
      target_port: this.#target.http.port,
      tls_mode: 'off',
    });
    return domain.full_domain;
  }

  /** Two public ports out of the pool of `relay`: one for bytes, one for HTTP over plain TCP. */
  async #publishPorts(client: ManagedClient, relay: StackRelay): Promise<Ports> {
    const first = Number(relay.public_ports.split('-')[0]) + 2 * this.#index;
    const ports = { bytes: first, http: first + 1 };
    for (const kind of ['bytes', 'http'] as const) {
      await this.#user.mappings.create({
        target_client_id: client.client_id,
        target_host: HOST,
        target_port: this.#target[kind].port,
        remote_port: ports[kind],
      });
    }
    return ports;
  }

  /** An agent with local ports that lead to the target behind `client`. */
  async #startSource(client: ManagedClient, agentRelay: StackRelay, agentPid: number): Promise<Subject> {
    const source = await this.#user.clients.create({ client_name: `source-${this.#transport}` });
    const ports = { bytes: await freePort(), http: await freePort() };
    for (const kind of ['bytes', 'http'] as const) {
      await this.#user.mappings.create({
        source_client_id: source.client_id,
        target_client_id: client.client_id,
        target_host: HOST,
        target_port: this.#target[kind].port,
        local_port: ports[kind],
      });
    }
    const { agent, relay } = await this.#visitAt(agentRelay, source);
    const bridged = relay !== agentRelay;
    return {
      name: `tunnox c ${this.#transport}${bridged ? ' bridged' : ''}`,
      layer: 'tcp',
      ...endpointsOf(ports),
      processes: {
        relay: [agentRelay.pid],
        ...(bridged ? { 'visitor relay': [relay.pid] } : {}),
        agent: [agentPid],
        'source agent': [agent.pid],
      },
    };
  }

  /** Agents draw lots among relays of equal load: the source is started until it has drawn `wanted`. */
  async #visitAt(
    wanted: StackRelay,
    source: ManagedClient,
    tries = SOURCE_TRIES_MAX,
  ): Promise<{ agent: AgentProcess; relay: StackRelay }> {
    const { relays } = this.#platform.stack;
    const before = await visitSessions(relays);
    const { agent } = await runManaged(this.#group, this.#platform, source, this.#transport);
    const relay = await relayVisitedSince(relays, before);
    if (relay === wanted || tries <= 1) return { agent, relay };
    await agent.stop();
    await visitsBackTo(relays, before);
    return this.#visitAt(wanted, source, tries - 1);
  }
}

function endpointsOf(ports: Ports): Pick<Subject, 'http'> & Required<Pick<Subject, 'bytes'>> {
  return { bytes: { host: HOST, port: ports.bytes }, http: { host: HOST, port: ports.http } };
}

function addressOf(hostPort: string): { host: string; port: number } {
  const [host = HOST, port] = hostPort.split(':');
  return { host, port: Number(port) };
}

function relayOf({ relays }: Stack, nodeId: string): StackRelay {
  const relay = relays.find((one) => one.node_id === nodeId);
  if (relay === undefined) throw new Error(`Cannot find relay '${nodeId}' in stack.json`);
  return relay;
}
