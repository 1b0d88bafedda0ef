import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { Agent, type AgentOptions } from '@tunnox/agent/agent';
import type { AgentEvent } from '@tunnox/agent/agent-event';
import type { AgentCredential } from '@tunnox/agent/identity/credential';
import type { AgentBinding } from '@tunnox/domain/agent-config';
import { parseHostPort } from '@tunnox/streams/host-port';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { EventQueue } from '@tunnox/testing/event-queue';
import { FakeControlPlane } from '@tunnox/testing/fake-control-plane';
import type { FakeRelay } from '@tunnox/testing/fake-relay';

export type EventOf<T extends AgentEvent['type']> = Extract<AgentEvent, { type: T }>;

export interface TestAgent {
  agent: Agent;
  events: EventQueue<AgentEvent>;
  /** The next event of a type. */
  event<T extends AgentEvent['type']>(type: T): Promise<EventOf<T>>;
  saved: { clientId: number; authCode: string; claimedFrom: number | null }[];
}

export interface Setting {
  plane: FakeControlPlane;
  clock: FakeClock;
  /** Moves the wall clock alone, as a sleep of the machine does. */
  sleep(ms: number): void;
  start(options?: Partial<AgentOptions>, credential?: AgentCredential): TestAgent;
}

/** A control plane that names `relays`, and agents that end with the test. Without TLS unless options say otherwise. */
export async function setUp(t: TestContext, relays: FakeRelay[]): Promise<Setting> {
  const plane = new FakeControlPlane();
  const clock = new FakeClock();
  let sleptMs = 0;
  for (const relay of relays) {
    plane.relays.push(await relay.listen());
    t.after(() => relay.kill());
  }
  const start: Setting['start'] = (options = {}, credential = { clientId: plane.clientId, authCode: 'code' }) => {
    const events = new EventQueue<AgentEvent>();
    const saved: TestAgent['saved'] = [];
    let current = credential;
    const agent = new Agent(
      {
        credentials: {
          current: () => current,
          save: async (identity) => {
            current = identity;
            saved.push(identity);
          },
          forget: async () => false,
        },
        emit: (event) => events.push(event),
        httpTransport: plane.transport,
        clock,
        wallNow: () => clock.now() + sleptMs,
        random: () => 1,
      },
      {
        server: 'https://api.example.com',
        agentVersion: '0.0.0',
        transport: 'tls',
        plaintext: true,
        allow: { rules: [], others: 'allowed' },
        insecureTargets: false,
        listenHost: '127.0.0.1',
        ...options,
      },
    );
    void agent.run();
    t.after(() => agent.stop());
    const event = <T extends AgentEvent['type']>(type: T) =>
      events.next((each): each is EventOf<T> => each.type === type);
    return { agent, events, event, saved };
  };
  return { plane, clock, sleep: (ms) => void (sleptMs += ms), start };
}

/** A TCP service on loopback. @returns its port */
export async function service(t: TestContext, onSocket: (socket: Socket) => void): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => {}).once('close', () => open.delete(socket));
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** Puts itself before a service; once frozen it is as a machine behind a cut line: everything stays, nothing moves. */
export async function freezable(t: TestContext, address: string): Promise<{ address: string; freeze(): void }> {
  const pairs: [Socket, Socket][] = [];
  let frozen = false;
  const port = await service(t, (near) => {
    if (frozen) return;
    const far = connect(parseHostPort(address));
    near.pipe(far.on('error', () => {})).pipe(near);
    near.once('close', () => far.destroy());
    pairs.push([near, far]);
  });
  const freeze = (): void => {
    frozen = true;
    for (const [near, far] of pairs) {
      near.unpipe(far);
      far.unpipe(near);
    }
  };
  return { address: `127.0.0.1:${port}`, freeze };
}

/** Answers what it got once the other side has ended: shows half-close. */
export function answerAtEnd(socket: Socket): void {
  let got = '';
  socket.on('data', (chunk) => (got += String(chunk))).on('end', () => socket.end(`got ${got}`));
}

export function target(
  port: number | null,
  more: Partial<Extract<AgentBinding, { role: 'target' }>> = {},
): AgentBinding {
  return {
    role: 'target',
    binding_id: 'mapping:1001',
    protocol: 'tcp',
    enabled: true,
    url: null,
    target_scheme: 'tcp',
    target_host: '127.0.0.1',
    target_port: port,
    secret: null,
    ...more,
  };
}

export function source(port: number, more: Partial<Extract<AgentBinding, { role: 'source' }>> = {}): AgentBinding {
  return {
    role: 'source',
    binding_id: 'mapping:1002',
    protocol: 'tcp',
    enabled: true,
    local_port: port,
    target_client_id: 600_000_002,
    target: '127.0.0.1:1',
    secret: Buffer.alloc(32, 7).toString('base64url'),
    ...more,
  };
}

/** All that a stream gives until its end. */
export async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += String(chunk);
  return all;
}
