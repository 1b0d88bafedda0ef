import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { Binding } from '@tunnox/domain/binding';
import type { ClientPolicy } from '@tunnox/domain/policy';
import type { Hello } from '@tunnox/protocol/control-message';
import { AGENT_PING_MS } from '@tunnox/streams/liveness';
import { TimerWheel } from '@tunnox/streams/timer-wheel';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { socketPair } from '@tunnox/testing/socket-pair';
import { AgentSessionServer } from '../../src/session/agent-session-server.ts';
import type { AttachedClient, AttachmentAuthority, AttachOutcome, TicketVerifier } from '../../src/session/ports.ts';
import { SessionRegistry } from '../../src/session/session-registry.ts';
import { TicketError } from '../../src/session/ticket-error.ts';
import { CLIENT_ID, echo, FakeAgent, helloOf, type OnTunnel } from './fake-agent.ts';

/** Reads tickets of `ticketOf()`. */
export const fakeVerifier: TicketVerifier = {
  verify: async (ticket) => {
    if (!ticket.startsWith('{')) throw new TicketError('bad_ticket', 'The ticket cannot be read');
    return JSON.parse(ticket);
  },
};

/** Answers attaches as the test says and remembers what it was told. */
export class FakeAuthority implements AttachmentAuthority {
  answer: (client: AttachedClient) => Promise<AttachOutcome> = async () => ({ kind: 'accepted', policy: policyOf() });
  readonly attached: AttachedClient[] = [];
  readonly detached: AttachedClient[] = [];
  readonly applied: { clientId: number; version: number; problems: unknown[] }[] = [];
  #onChange: (() => void)[] = [];

  attach(client: AttachedClient): Promise<AttachOutcome> {
    this.attached.push(client);
    this.#changed();
    return this.answer(client);
  }

  detach(client: AttachedClient): void {
    this.detached.push(client);
    this.#changed();
  }

  configApplied(clientId: number, version: number, problems: unknown[]): void {
    this.applied.push({ clientId, version, problems });
    this.#changed();
  }

  /** Resolves when `ready` is true, looked at after each call. */
  async when(ready: () => boolean): Promise<void> {
    while (!ready()) await new Promise<void>((resolve) => this.#onChange.push(resolve));
  }

  #changed(): void {
    for (const wake of this.#onChange.splice(0)) wake();
  }
}

export function bindingOf(changes: Partial<Binding> = {}): Binding {
  return {
    binding_id: 'mapping:1001',
    version: 1,
    endpoint: 'tcp:default:9020',
    protocol: 'tcp',
    enabled: true,
    user_id: 100_000_001,
    source_client_id: null,
    upstreams: [{ client_id: CLIENT_ID, weight: 1, priority: 0 }],
    host_header: null,
    warning_page: false,
    access: { allow: [], deny: [] },
    ...changes,
  };
}

export function policyOf(changes: Partial<ClientPolicy> = {}): ClientPolicy {
  return {
    client_id: CLIENT_ID,
    user_id: 100_000_001,
    generation: 1,
    config_version: 1,
    limits: { max_connections_per_mapping: null, bandwidth_bytes_per_s: null, traffic_remaining_bytes: null },
    bindings: [bindingOf()],
    ...changes,
  };
}

/** PINGs are turned by hand, if at all. */
export function stillWheel(roundMs: number): TimerWheel {
  return new TimerWheel({ setInterval: () => null, clearInterval: () => {} }, { roundMs, spokes: 1 });
}

/** A relay's sessions with fakes around them. */
export function sessionRig(t: TestContext, verifier: TicketVerifier = fakeVerifier) {
  const clock = new FakeClock();
  const authority = new FakeAuthority();
  const registry = new SessionRegistry({ clock });
  const pings = stillWheel(AGENT_PING_MS);
  const server = new AgentSessionServer(
    { verifier, authority, registry, clock, pings },
    { nodeId: 'node-001', group: 'default' },
  );
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  /** Connects an agent over a plain socket. */
  const connect = async (hello: Hello | null = helloOf(), onTunnel: OnTunnel = echo) => {
    const { client, server: accepted } = await socketPair(false);
    sockets.push(client, accepted);
    let authenticated = 0;
    server.accept(accepted, { authenticated: () => (authenticated += 1) });
    const agent = new FakeAgent(client, hello, onTunnel);
    return Object.assign(agent, { socket: client, authenticated: () => authenticated });
  };
  /** Connects an agent and waits for its welcome. */
  const welcomed = async (hello: Hello = helloOf(), onTunnel: OnTunnel = echo) => {
    const agent = await connect(hello, onTunnel);
    await agent.until('welcome');
    return agent;
  };
  return { clock, authority, registry, server, connect, welcomed };
}
