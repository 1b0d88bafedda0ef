import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { Binding } from '@tunnox/domain/binding';
import { type Clock, systemClock } from '../../clock.ts';
import { HttpListener } from '../../listener/http-listener.ts';
import type { Decision, Router } from '../../router/router.ts';
import type { Tunnel, TunnelRequest, Upstream } from '../../upstream/upstream.ts';
import type { ChallengeAnswers } from '../challenge-answers.ts';
import type { TrustedPeers } from '../forwarding.ts';
import { HttpProxy } from '../http-proxy.ts';

/** A binding of an HTTP name, all open. */
export function bindingOf(endpoint: string, changes: Partial<Binding> = {}): Binding {
  return {
    binding_id: 'domain:1',
    version: 1,
    endpoint,
    protocol: 'http',
    enabled: true,
    user_id: 100_000_001,
    source_client_id: null,
    upstreams: [],
    host_header: null,
    warning_page: false,
    access: { allow: [], deny: [] },
    ...changes,
  };
}

/** An upstream whose tunnels are connections to a port of this machine. */
export class DirectUpstream implements Upstream {
  readonly kind = 'local';
  readonly key: string;
  readonly port: number;
  closed = false;
  readonly requests: TunnelRequest[] = [];
  readonly tunnels: Tunnel[] = [];
  /** Called before each opening: may throw, or wait. */
  before: ((request: TunnelRequest, signal: AbortSignal) => void | Promise<void>) | null = null;

  constructor(port: number, key = `port ${port}`) {
    this.port = port;
    this.key = key;
  }

  async open(request: TunnelRequest, signal: AbortSignal): Promise<Tunnel> {
    this.requests.push(request);
    await this.before?.(request, signal);
    const stream = connect({ port: this.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    await once(stream, 'connect', { signal });
    const tunnel = { stream, meter: { bytesIn: 0, bytesOut: 0 } };
    this.tunnels.push(tunnel);
    return tunnel;
  }
}

/** A router with a table: name → decision, or what makes one. */
export class TableRouter implements Router {
  readonly table = new Map<string, Decision | (() => Decision | Promise<Decision>)>();
  readonly forgotten: [string, Upstream][] = [];

  decide(endpoint: string): Decision | Promise<Decision> {
    const entry = this.table.get(endpoint) ?? { kind: 'unknown' };
    return typeof entry === 'function' ? entry() : entry;
  }

  forget(endpoint: string, upstream: Upstream): void {
    this.forgotten.push([endpoint, upstream]);
  }

  open(endpoint: string, upstream: Upstream, changes: Partial<Binding> = {}): void {
    this.table.set(endpoint, { kind: 'open', binding: bindingOf(endpoint, changes), upstreams: [upstream] });
  }
}

export interface ProxyFixture {
  proxy: HttpProxy;
  router: TableRouter;
  port: number;
}

export interface ProxyFixtureOptions {
  clock?: Clock;
  trustedPeers?: TrustedPeers;
  connectionsMax?: number;
  warningPages?: boolean;
  challenges?: Pick<ChallengeAnswers, 'find'>;
}

/** A proxy that listens; it ends with the test. */
export async function startProxy(test: TestContext, options: ProxyFixtureOptions = {}): Promise<ProxyFixture> {
  const router = new TableRouter();
  const { clock = systemClock, trustedPeers = null, connectionsMax = 1000, warningPages = true } = options;
  const { challenges } = options;
  const proxy = new HttpProxy(
    { router, clock, trustedPeers, ...(challenges === undefined ? {} : { challenges }) },
    { connectionsMax, warningPages },
  );
  const listener = new HttpListener(proxy, { host: '127.0.0.1', port: 0 });
  proxy.start();
  const port = await listener.start();
  test.after(() => {
    listener.stop();
    proxy.stop();
  });
  return { proxy, router, port };
}

/** A target that is a real HTTP server. @returns its port */
export async function startHttpTarget(test: TestContext, serve: RequestListener): Promise<number> {
  const server = createHttpServer(serve);
  test.after(() => server.closeAllConnections());
  return listening(test, server);
}

/** A target that speaks bytes. @returns its port */
export async function startRawTarget(test: TestContext, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  test.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  return listening(test, server);
}

async function listening(test: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => server.close());
  return (server.address() as AddressInfo).port;
}
