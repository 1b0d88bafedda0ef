import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { loadOrCreateNodeIdentity, type NodeIdentity } from '@tunnox/certificates/node-identity';
import type { RegisterAnswer } from '@tunnox/domain/relay-api';
import { makeUlid } from '@tunnox/domain/ulid';
import type { Logger } from '@tunnox/observability/logger';
import { AGENT_PING_MS, BRIDGE_PING_MS } from '@tunnox/streams/liveness';
import { TimerWheel } from '@tunnox/streams/timer-wheel';
import type { RelayCounts } from './admin/relay-status.ts';
import { BridgeClient } from './bridge/bridge-client.ts';
import { BridgeServer } from './bridge/bridge-server.ts';
import { systemClock } from './clock.ts';
import { settled } from './settled.ts';
import type { RelayConfig } from './config.ts';
import { CertificateFetcher } from './control-plane/certificate-fetcher.ts';
import { ConnectionLog } from './control-plane/connection-log.ts';
import { ConnectionReporter } from './control-plane/connection-reporter.ts';
import { ControlPlane } from './control-plane/control-plane.ts';
import { ListedPeers } from './control-plane/listed-peers.ts';
import { type LoadReading, LoadReporter } from './control-plane/load-reporter.ts';
import { LocalTicketVerifier } from './control-plane/local-ticket-verifier.ts';
import { NodeLease } from './control-plane/node-lease.ts';
import { Registration } from './control-plane/registration.ts';
import { RelayApi } from './control-plane/relay-api.ts';
import { UsageReporter } from './control-plane/usage-reporter.ts';
import { UsageSpool } from './control-plane/usage-spool.ts';
import { AccessList } from './limits/access-list.ts';
import { RelayAdmission } from './limits/relay-admission.ts';
import { AgentTcpListener } from './listener/agent-tcp-listener.ts';
import { AgentWebSocketListener } from './listener/agent-websocket-listener.ts';
import { BridgeListener } from './listener/bridge-listener.ts';
import { CertificateChoice } from './listener/certificate-choice.ts';
import { CertificateFolder } from './listener/certificate-folder.ts';
import { CertificateStore } from './listener/certificate-store.ts';
import { ConnectionGate } from './listener/connection-gate.ts';
import { DeliveredCertificates } from './listener/delivered-certificates.ts';
import { HttpListener } from './listener/http-listener.ts';
import { LateListener } from './listener/late-listener.ts';
import { TcpListener } from './listener/tcp-listener.ts';
import { TlsListener } from './listener/tls-listener.ts';
import { describeNode, ownAddress } from './node-description.ts';
import { openProjection } from './projection.ts';
import { ChallengeAnswers } from './proxy/challenge-answers.ts';
import { HttpProxy } from './proxy/http-proxy.ts';
import { TcpProxy } from './proxy/tcp-proxy.ts';
import { VisitServer } from './proxy/visit-server.ts';
import type { RelayOrders, ServingRelay } from './relay-life.ts';
import { RelayRouter } from './router/relay-router.ts';
import { AgentSessionServer } from './session/agent-session-server.ts';
import { SessionRegistry } from './session/session-registry.ts';
import { UpstreamFactory } from './upstream/upstream-factory.ts';

const clock = systemClock;
const random = Math.random;
const timers = { setInterval, clearInterval: (timer: unknown): void => clearInterval(timer as NodeJS.Timeout) };

export interface RunOptions {
  config: RelayConfig;
  /** PEM of all authorities to trust for the control plane; null: the system's. */
  apiCa: readonly string[] | null;
  version: string;
  log: Logger;
}

/** Strangers wait in these until they have shown who they are; agents of a lost relay come all at once. */
const AGENT_GATE = { waitingMax: 8192, waitingPerAddressMax: 2048 };
const VISITOR_GATE = { waitingMax: 8192, waitingPerAddressMax: 2048 };
const HTTP_CONNECTIONS_MAX = 50_000;
/** About three days of a control plane that is away. */
const USAGE_REPORTS_MAX = 4096;
/** Ended tunnels that are kept until they are reported: about 2 MB, and more than end within two reports. */
const CONNECTIONS_LOGGED_MAX = 5000;

/**
 * Registers this relay and joins its parts: the only place that sees them all.
 *
 * @throws {RegistrationRefused} when the control plane says no
 * @throws the signal's reason
 */
export async function registerRelay(
  options: RunOptions,
  signal: AbortSignal,
  orders: RelayOrders,
): Promise<ServingRelay> {
  const { config, apiCa, version, log } = options;
  const identity = await loadOrCreateNodeIdentity(config.stateDir);
  const certificates = new CertificateStore(config.tls, log);
  await certificates.start();
  const delivered = new DeliveredCertificates(new CertificateFolder(join(config.stateDir, 'certificates')), log);
  await delivered.load();
  const api = new RelayApi({ baseUrl: config.apiUrl, ca: apiCa });
  const registration = new Registration({ api, identity, clock, random, log }, describeNode(config, version));
  try {
    const answer = await registration.register(signal);
    log.info({ node_id: answer.node_id, incarnation: answer.incarnation, group: answer.group }, 'Registered');
    return buildRelay({ ...options, identity, certificates, delivered, api, registration, answer, orders });
  } catch (error) {
    certificates.stop();
    await api.close();
    throw error;
  }
}

interface Registered extends RunOptions {
  identity: NodeIdentity;
  certificates: CertificateStore;
  delivered: DeliveredCertificates;
  api: RelayApi;
  registration: Registration;
  answer: RegisterAnswer;
  orders: RelayOrders;
}

function buildRelay(parts: Registered): ServingRelay {
  const { config, apiCa, identity, certificates, delivered, api, registration, answer, orders, log } = parts;
  const { bind: host, ports } = config;
  const agentPings = new TimerWheel(timers, { roundMs: AGENT_PING_MS, spokes: 15 });
  const bridgePings = new TimerWheel(timers, { roundMs: BRIDGE_PING_MS, spokes: 15 });
  const newTunnelId = (): string => makeUlid(clock.now(), randomBytes(16));
  const store = openProjection(config.redis);

  const admission = new RelayAdmission(clock);
  const registry = new SessionRegistry({ clock });
  const connections = new ConnectionLog(clock, CONNECTIONS_LOGGED_MAX);
  const peers = new ListedPeers({ clock, fetchPeers: () => api.peers() });
  peers.set(answer.peers);
  const secureContext = createSecureContext({
    key: identity.privateKeyPem,
    cert: identity.certificatePem,
    minVersion: 'TLSv1.3',
  });
  const bridgeClient = new BridgeClient({ directory: peers, clock, pings: bridgePings }, { secureContext });
  const upstreams = new UpstreamFactory({ registry, admission, bridge: bridgeClient, log: connections });
  const router = new RelayRouter({
    clock,
    random,
    projection: store,
    owner: api,
    directory: {
      local: (clientId) => upstreams.local(clientId) ?? null,
      peer: ({ client_id }, node) => {
        // A presence here without a session is over.
        if (node.node_id === answer.node_id) return null;
        if (!bridgeClient.knows(node)) peers.refresh();
        return upstreams.peer(node, client_id);
      },
    },
  });

  const verifier = new LocalTicketVerifier({ clock, fetchKeys: () => api.keys() }, answer.ticket_keys);
  const spool = new UsageSpool(join(config.stateDir, 'usage'), USAGE_REPORTS_MAX);
  const usage = new UsageReporter({ api, source: admission, spool, clock, log }, answer.incarnation);
  admission.onReportWanted = () => usage.reportSoon();
  admission.onTrafficTurn = (clientIds, exhausted) => registry.tellTraffic(clientIds, exhausted);
  admission.isAttached = (clientId) => registry.get(clientId) !== undefined;
  const connectionReporter = new ConnectionReporter({ api, connections, clock, log });
  const fetcher = new CertificateFetcher({ api, certificates: delivered, clock, random, log });
  const controlPlane = new ControlPlane(
    {
      api,
      registration,
      sessions: registry,
      verifier,
      peers,
      usage,
      connections: connectionReporter,
      certificates: fetcher,
      clock,
      random,
      log,
    },
    { answer, ca: apiCa },
    {
      policy: (policy) => {
        router.applyPolicy(policy);
        admission.applyPolicy(policy);
      },
      clientLeft: (clientId) => {
        if (registry.get(clientId) !== undefined) return;
        router.dropClient(clientId);
        admission.clientLeft(clientId);
      },
      ...orders,
    },
  );

  const gates = { agents: new ConnectionGate(clock, AGENT_GATE), visitors: new ConnectionGate(clock, VISITOR_GATE) };
  const agents = new AgentSessionServer(
    { verifier, authority: controlPlane, registry, clock, pings: agentPings },
    { nodeId: answer.node_id, group: answer.group },
  );
  const visits = new VisitServer(
    { verifier, registry, router, clock, pings: agentPings },
    { nodeId: answer.node_id, group: answer.group },
  );
  registry.onClientEnded = (clientId) => visits.closeClient(clientId);
  const bridgeServer = new BridgeServer({
    registry,
    local: (clientId) => upstreams.local(clientId),
    pings: bridgePings,
  });
  const trustedPeers =
    config.trustedProxies.length === 0 ? null : new AccessList({ allow: config.trustedProxies, deny: [] });
  const http = new HttpProxy(
    {
      router,
      clock,
      trustedPeers,
      challenges: new ChallengeAnswers({ clock, ask: (token, name) => api.acmeChallenge(token, name) }),
    },
    { connectionsMax: HTTP_CONNECTIONS_MAX, warningPages: config.warningPage },
  );
  const tcp = new TcpProxy({ router, newTunnelId });
  const agentOptions = { host, secureContext, insecureAgents: config.insecureAgents };
  const agentDeps = {
    serving: agents,
    visiting: visits,
    gate: gates.agents,
  };
  const bridge = { bridge: bridgeServer, directory: peers, gate: gates.agents };
  const bridgeListener = new BridgeListener(bridge, { host, port: ports.bridge, secureContext });
  const agentListeners = [
    new AgentTcpListener(agentDeps, { ...agentOptions, port: ports.agentTcp }),
    new AgentWebSocketListener(agentDeps, { ...agentOptions, port: ports.agentWs }),
    bridgeListener,
  ];
  const visitorListeners = [
    new HttpListener(http, { host, port: ports.http }),
    new TcpListener({ proxy: tcp, gate: gates.visitors }, { host, group: answer.group, ports: ports.public }),
  ];
  // Without a certificate nothing is listened to: a port below 1024 may not be ours to take, and nobody could be served.
  const https = new LateListener(
    new TlsListener(
      { proxy: http, certificates: new CertificateChoice(certificates, delivered), gate: gates.visitors },
      { host, port: ports.https },
    ),
    log,
  );
  delivered.onServable = () => https.begin();
  const lease =
    store === null
      ? null
      : new NodeLease({ put: (node) => store.putNode(node), clock, log }, ownAddress(config, identity, answer));

  const counts = (): RelayCounts => ({
    nodeId: answer.node_id,
    incarnation: answer.incarnation,
    group: answer.group,
    sessions: registry.snapshot(),
    agents: agents.snapshot(),
    visits: visits.snapshot(),
    tunnels: admission.snapshot(),
    connectionLog: connections.snapshot(),
    http: http.metrics.snapshot(),
    tcp: tcp.snapshot(),
    bridge: { peers: bridgeClient.snapshot(), server: bridgeServer.snapshot(), strangers: bridgeListener.strangers },
    gates: { agents: gates.agents.snapshot(), visitors: gates.visitors.snapshot() },
    router: {
      decisions: { ...router.counters },
      lookups: { ...router.lookup.counters },
      cache: router.cache.size,
      running: router.lookup.running,
    },
    controlPlane: { ...controlPlane.snapshot(), peers: peers.size },
    certificates: { ...delivered.snapshot(), ...fetcher.snapshot() },
  });
  const load = new LoadReporter({
    clock,
    read: () => readLoad(registry, admission),
    send: (message) => controlPlane.load(message),
  });

  const cut = async (): Promise<void> => {
    for (const listener of [...visitorListeners, https, ...agentListeners]) listener.stop();
    load.stop();
    lease?.stop();
    controlPlane.stop();
    http.stop();
    tcp.stop();
    visits.stop();
    registry.stop();
    bridgeServer.stop();
    bridgeClient.stop();
    gates.agents.close();
    gates.visitors.close();
    certificates.stop();
    await Promise.all([registry.drain(0), store?.close(), api.close()]);
    // Nothing can be sent any more: what was counted goes to the spool, for the next process.
    await usage.stop();
  };
  return {
    nodeId: answer.node_id,
    incarnation: answer.incarnation,
    counts,
    start: async (signal) => {
      http.start();
      for (const listener of [...agentListeners, ...visitorListeners]) await listener.start();
      if (config.tls.length > 0) await https.start();
      else if (delivered.size > 0) https.begin();
      lease?.start();
      load.start();
      await controlPlane.start(signal);
    },
    announceLeaving: (deadlineMs) => {
      controlPlane.drain();
      lease?.setStatus('draining');
      visits.drain(deadlineMs);
      void registry.drain(deadlineMs);
    },
    leaveDns: async (signal) => {
      try {
        const asked = api.withdraw();
        await settled(asked, signal);
        if (signal.aborted) return log.warn('The DNS provider is slow: this relay may still be named');
        const { dns } = await asked;
        if (dns === 'pending') log.warn('The DNS provider has not confirmed that this relay is named no more');
        else log.debug({ dns }, 'No DNS record leads here');
      } catch (error) {
        log.debug({ err: error }, 'Nobody could be asked to take this relay out of the DNS');
      }
    },
    stopAccepting: () => {
      for (const listener of [...visitorListeners, https, ...agentListeners]) listener.stop();
    },
    finished: async (signal) => {
      await Promise.all([http.drain(signal), tcp.drain(signal), settled(registry.drain(0), signal)]);
    },
    leave: () => controlPlane.leave(),
    cut,
  };
}

function readLoad(registry: SessionRegistry, admission: RelayAdmission): LoadReading {
  const { user, system } = process.cpuUsage();
  const { tunnels, bytesIn, bytesOut } = admission.snapshot();
  return {
    clients: registry.snapshot().sessions,
    tunnels,
    cpuUs: user + system,
    memoryBytes: process.memoryUsage.rss(),
    bytes: bytesIn + bytesOut,
  };
}
