import { waitUntil } from 'cloudflare:workers';
import { openUpstashRouteStore } from '@tunnox/route-store/upstash-route-store';
import type { Context, Hono } from 'hono';
import { agentRoutes } from './api/routes/agent/agent-routes.ts';
import { relayRoutes } from './api/routes/relay/relay-routes.ts';
import { createDelivery } from './delivery/change-delivery.ts';
import type { Env, Settings } from './env.ts';
import { ExistenceCache } from './lookup/existence-cache.ts';
import { createLookup } from './lookup/lookup.ts';
import { RememberedRoutes } from './lookup/remembered-routes.ts';
import { createPresenceReader } from './lookup/presence-reader.ts';
import { createAnonymousRepository } from './repositories/anonymous-repository.ts';
import { createAttachmentRepository } from './repositories/attachment-repository.ts';
import { createConnectionRepository } from './repositories/connection-repository.ts';
import { createJoinTokenUses } from './repositories/join-token-uses.ts';
import { createLoginRepository } from './repositories/login-repository.ts';
import { createObjectOwners } from './repositories/object-owners.ts';
import { createOutboxRepository } from './repositories/outbox-repository.ts';
import type { Postgres } from './repositories/postgres.ts';
import { createRelayNodeRepository } from './repositories/relay-node-repository.ts';
import { createRetentionRepository } from './repositories/retention-repository.ts';
import { createSessionRepository } from './repositories/session-repository.ts';
import { createRouteEndRepository } from './repositories/route-end-repository.ts';
import { createSigningKeyRepository } from './repositories/signing-key-repository.ts';
import { createSweepRepository } from './repositories/sweep-repository.ts';
import { createUsageRepository } from './repositories/usage-repository.ts';
import { AgentSessionService } from './services/agent-session-service.ts';
import { AttachmentService } from './services/attachment-service.ts';
import type { Authenticator } from './services/authenticator.ts';
import { createCipher } from './services/cipher.ts';
import { ChangeTeller } from './services/change-teller.ts';
import type { CertificateService } from './services/certificate-service.ts';
import type { ClientService } from './services/client-service.ts';
import type { Handovers } from './services/handovers.ts';
import type { LoginRepository, LoginTokens } from './services/login-ports.ts';
import type { DnsOwners } from './services/dns-owners.ts';
import { ConnectionService } from './services/connection-service.ts';
import type { LedgerOwners } from './services/ledger-ports.ts';
import { createNodeControl } from './services/node-control.ts';
import type { Log } from './services/node-ports.ts';
import type {
  AccessTokenVerifier,
  BindingRepository,
  ChangeDelivery,
  NodeControl,
  PolicyRepository,
  PresenceReader,
} from './services/ports.ts';
import { RelayRegistrationService } from './services/relay-registration-service.ts';
import { SigningKeyService } from './services/signing-key-service.ts';
import { RouteEndings } from './services/route-endings.ts';
import { runSweep, type SweepDeps } from './services/sweep-service.ts';
import { UsageService } from './services/usage-service.ts';
import { createClientTokens } from './tickets/client-tokens.ts';
import { createLoginTokens } from './tickets/login-tokens.ts';
import { createRelayTokens } from './tickets/relay-tokens.ts';
import { SigningKeys } from './tickets/signing-keys.ts';

export interface LiveDeps {
  env: Env;
  settings: Settings;
  postgres: Postgres;
  bindings: BindingRepository;
  policies: PolicyRepository;
  dnsOwners: DnsOwners;
  certificates: Pick<CertificateService, 'answerChallenge' | 'deliver'>;
  log: Log;
}

/** The live half of the control plane: what the management API asks of it, and its own routes. */
export interface LiveParts {
  accessTokens: AccessTokenVerifier;
  logins: LoginRepository;
  loginTokens: LoginTokens;
  signingKeys: SigningKeyService;
  delivery: ChangeDelivery;
  presences: PresenceReader;
  ledgers: LedgerOwners;
  control: NodeControl;
  /** `/relay/v1` */
  relayRoutes: Hono;
  /** `/agent/v1` */
  agentRoutes(services: {
    clients: ClientService;
    handovers: Handovers;
    authenticator: Authenticator;
    requestId: (c: Context) => string;
  }): Hono;
  /** What the cron trigger runs. */
  sweep(services: Pick<SweepDeps, 'proofs' | 'setups' | 'zones' | 'certificates' | 'dnsOwners'>): Promise<void>;
}

const EXISTENCE = { entriesMax: 20_000, negativeMs: 1000 };

export function composeLive({
  env,
  settings,
  postgres,
  bindings,
  policies,
  dnsOwners,
  certificates,
  log,
}: LiveDeps): LiveParts {
  const now = () => Date.now();
  const later = (work: Promise<unknown>): void => {
    waitUntil(work.catch((error: unknown) => log.warn({ err: String(error) }, 'Work after an answer failed')));
  };
  const { routes, presences: owners, nodes, registry, ledgers } = createObjectOwners(env);
  const store = settings.redis === null ? null : openUpstashRouteStore(settings.redis);
  const repository = createSigningKeyRepository(postgres);
  const keys = new SigningKeys(
    { repository, cipher: createCipher(settings.encryptionKeys, 'signing-key'), now },
    { sessionAlgorithm: settings.sessionAlgorithm },
  );
  const signingKeys = new SigningKeyService({ repository, keys, registry, now, log });
  const logins = createLoginRepository(postgres);
  const clientTokens = createClientTokens(keys, now);
  const nodeRows = createRelayNodeRepository(postgres, {
    baseDomains: settings.baseDomains,
    leaseMs: settings.relayLeaseMs,
  });
  const presences = createPresenceReader(owners, nodes);
  const existence = new ExistenceCache(now, EXISTENCE);
  const remembered = new RememberedRoutes(now);
  const lookup = createLookup({ bindings, routes, presences: owners, nodes, store, existence, remembered, later });
  const delivery = createDelivery({
    outbox: createOutboxRepository(postgres),
    ...{ bindings, policies, routes, presences: owners, registry, store },
  });
  const registration = new RelayRegistrationService(
    { joinTokens: createJoinTokenUses(postgres), registry, nodes, tokens: createRelayTokens(keys, now), keys, now },
    { leaseMs: settings.relayLeaseMs, baseDomains: settings.baseDomains },
  );
  const clients = createAttachmentRepository(postgres);
  const routeEndings = new RouteEndings({
    endings: createRouteEndRepository(postgres),
    ...{ presences, teller: new ChangeTeller(delivery, log) },
  });
  return {
    accessTokens: clientTokens,
    logins,
    loginTokens: createLoginTokens(keys, now),
    signingKeys,
    delivery,
    presences,
    ledgers,
    control: createNodeControl(nodes, presences, registry),
    relayRoutes: relayRoutes({
      registration,
      attachments: new AttachmentService({
        ...{ policies, presences: owners, nodes, clients, ledgers, later },
        clientsLeft: (clientIds) => routeEndings.clientsLeft(clientIds),
      }),
      lookup,
      certificates,
      sessions: nodes,
      withdrawals: {
        async withdraw({ nodeId, incarnation }) {
          await nodes.withdraw(nodeId, incarnation);
          return await dnsOwners.withdrawn(nodeId);
        },
      },
      usage: new UsageService({ usage: createUsageRepository(postgres, now), ledgers, later, now }),
      connections: new ConnectionService({ connections: createConnectionRepository(postgres) }),
      keys,
    }),
    agentRoutes(services) {
      const { baseDomains, publicHttpUrl, publicHttpsUrl, clientAddressHeader } = settings;
      const sessions = new AgentSessionService(
        {
          policies,
          clients: services.clients,
          anonymous: createAnonymousRepository(postgres),
          nodes: nodeRows,
          tokens: clientTokens,
          handovers: services.handovers,
        },
        { baseDomain: baseDomains[0], publicHttpUrl, publicHttpsUrl },
      );
      const { authenticator, requestId } = services;
      return agentRoutes({ sessions, authenticator, requestId }, { addressHeader: clientAddressHeader });
    },
    sweep: ({ proofs, setups, zones, certificates: certificateSweep, dnsOwners: recordOwners }) =>
      runSweep(
        {
          ...{
            delivery,
            sweeps: createSweepRepository(postgres),
            nodeRows,
            nodes,
            proofs,
            setups,
            zones,
            routeEndings,
          },
          log,
          dnsOwners: recordOwners,
          certificates: certificateSweep,
          ...{ logins, signingKeys, now },
          sessions: {
            sessions: createSessionRepository(postgres),
            attachments: clients,
            nodes,
            presences: owners,
            now,
          },
          retention: createRetentionRepository(postgres),
        },
        { leaseMs: settings.relayLeaseMs },
      ),
  };
}
