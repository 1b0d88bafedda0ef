import type { OpenAPIHono } from '@hono/zod-openapi';
import { openDatabase } from '@tunnox/db/client';
import type { AppEnv } from './api/context.ts';
import type { DocsAssets } from './api/routes/docs/docs.ts';
import { createApp } from './app.ts';
import { composeCertificates } from './compose-certificates.ts';
import { composeDns } from './compose-dns.ts';
import { composeDnsOwners } from './compose-dns-owners.ts';
import { composeDomains } from './compose-domains.ts';
import { composeEncryption } from './compose-encryption.ts';
import { composeInsight } from './compose-insight.ts';
import { composeLive } from './compose-live.ts';
import { type Env, parseSettings } from './env.ts';
import { createLog } from './log.ts';
import { createApiKeyRepository } from './repositories/api-key-repository.ts';
import { createBindingRepository } from './repositories/binding-repository.ts';
import { createCertificateMetricsRepository } from './repositories/certificate-metrics-repository.ts';
import { createClaimRepository } from './repositories/claim-repository.ts';
import { createClientRepository } from './repositories/client-repository.ts';
import { createDnsMetricsRepository } from './repositories/dns-metrics-repository.ts';
import { createHealthRepository } from './repositories/health-repository.ts';
import { createIdempotencyRepository } from './repositories/idempotency-repository.ts';
import { createJoinTokenRepository } from './repositories/join-token-repository.ts';
import { createMappingRepository } from './repositories/mapping-repository.ts';
import { createRateLimiter } from './repositories/object-rate-limiter.ts';
import { rateLimiterStub } from './repositories/object-stubs.ts';
import { createNamespaceRepository } from './repositories/namespace-repository.ts';
import { createNodeRepository } from './repositories/node-repository.ts';
import { createPlanRepository } from './repositories/plan-repository.ts';
import { createPolicyRepository } from './repositories/policy-repository.ts';
import { createPostgres } from './repositories/postgres.ts';
import { createRelayMetricsRepository } from './repositories/relay-metrics-repository.ts';
import { createRouteRepository } from './repositories/route-repository.ts';
import { createUserRepository } from './repositories/user-repository.ts';
import { ApiKeyService } from './services/api-key-service.ts';
import { Authenticator } from './services/authenticator.ts';
import { ChangeTeller } from './services/change-teller.ts';
import { createCipher } from './services/cipher.ts';
import { ClaimService } from './services/claim-service.ts';
import { ClientService } from './services/client-service.ts';
import { Handovers } from './services/handovers.ts';
import { LoginService } from './services/login-service.ts';
import { MappingService } from './services/mapping-service.ts';
import { MetricsService } from './services/metrics-service.ts';
import { NamespaceService } from './services/namespace-service.ts';
import { NodeService } from './services/node-service.ts';
import { PlanService } from './services/plan-service.ts';
import { RouteService } from './services/route-service.ts';
import { UserService } from './services/user-service.ts';
import { createWaitingReader } from './services/waiting-reader.ts';

export interface ControlPlane {
  app: OpenAPIHono<AppEnv>;
  /** What the cron trigger runs. */
  sweep(): Promise<void>;
}

/** Joins the control plane's parts. */
export function compose(env: Env, docs: DocsAssets): ControlPlane {
  const settings = parseSettings(env);
  const log = createLog((level, line) => console[level](line));
  const { databaseUrl, neonFetchEndpoint, encryptionKeys, operatorKey, apiHosts } = settings;
  const database = openDatabase({ url: databaseUrl, fetchEndpoint: neonFetchEndpoint });
  const postgres = createPostgres(database);
  const urls = { http: settings.publicHttpUrl, https: settings.publicHttpsUrl };
  const secrets = createCipher(encryptionKeys, 'mapping-secret');

  const bindings = createBindingRepository(postgres);
  const policies = createPolicyRepository(postgres, secrets, urls);
  const dnsOwners = composeDnsOwners({ env, settings, postgres, log });
  const { sweepCertificates, certificateWaker, certificates } = composeCertificates({ env, settings, postgres, log });
  const live = composeLive({ env, settings, postgres, bindings, policies, dnsOwners, certificates, log });
  const { presences, control, ledgers } = live;
  const waiting = createWaitingReader(ledgers);
  const teller = new ChangeTeller(live.delivery, log);

  const userRepository = createUserRepository(postgres);
  const apiKeyRepository = createApiKeyRepository(postgres);
  const clientRepository = createClientRepository(postgres);
  const clients = new ClientService({ clients: clientRepository, presences, teller, dnsOwners });
  const claimRepository = createClaimRepository(postgres);
  const handovers = new Handovers({
    repository: claimRepository,
    cipher: createCipher(encryptionKeys, 'client-handover'),
  });
  const rateLimiter = createRateLimiter({ shard: (index) => rateLimiterStub(env, index), log, now: Date.now });
  const domainParts = composeDomains({
    ...{
      settings,
      postgres,
      clients: clientRepository,
      presences,
      waiting,
      teller,
      rateLimiter,
      urls,
      dnsOwners,
      certificateWaker,
      log,
    },
  });
  const { sweepZones, ...dnsParts } = composeDns({ env, settings, postgres, dnsOwners });
  const authenticator = new Authenticator(
    {
      ...{ apiKeys: apiKeyRepository, logins: live.logins, policies },
      ...{ accessTokens: live.accessTokens, loginTokens: live.loginTokens },
    },
    { operatorKey },
  );
  const app = createApp(
    {
      authenticator,
      users: new UserService({ users: userRepository, rateLimiter, presences, ledgers, teller, dnsOwners }),
      plans: new PlanService({ plans: createPlanRepository(postgres), teller }),
      apiKeys: new ApiKeyService({ apiKeys: apiKeyRepository }),
      logins: new LoginService({ logins: live.logins, tokens: live.loginTokens, rateLimiter, now: Date.now }),
      namespaces: new NamespaceService({ namespaces: createNamespaceRepository(postgres) }),
      signingKeys: live.signingKeys,
      encryptionKeys: composeEncryption(settings, postgres),
      clients,
      claims: new ClaimService({ claims: claimRepository, handovers, policies, rateLimiter, teller }),
      mappings: new MappingService({
        mappings: createMappingRepository(postgres),
        ...{ clients: clientRepository, presences, waiting, teller, secrets },
      }),
      ...domainParts,
      ...dnsParts,
      certificates,
      routes: new RouteService({
        routes: createRouteRepository(postgres),
        ...{ names: domainParts.domainNames, presences, teller },
      }),
      ...composeInsight({ postgres, presences }),
      nodes: new NodeService({
        nodes: createNodeRepository(postgres),
        joinTokens: createJoinTokenRepository(postgres),
        ...{ control, dnsOwners },
      }),
      idempotencyKeys: createIdempotencyRepository(postgres, createCipher(encryptionKeys, 'stored-answer')),
      health: createHealthRepository(postgres),
      metrics: new MetricsService([
        createDnsMetricsRepository(postgres),
        createCertificateMetricsRepository(postgres),
        createRelayMetricsRepository(postgres, { leaseMs: settings.relayLeaseMs }),
      ]),
      rateLimiter,
      log,
      docs,
      mounts: [
        { path: '/relay/v1', router: live.relayRoutes },
        {
          path: '/agent/v1',
          router: live.agentRoutes({ clients, handovers, authenticator, requestId: (c) => c.get('requestId') }),
        },
      ],
    },
    {
      apiHosts,
      rateLimit: { ...settings.rateLimit, addressHeader: settings.clientAddressHeader },
      corsOrigins: settings.corsOrigins,
    },
  );
  return {
    app,
    sweep: () =>
      live.sweep({
        proofs: domainParts.proofSweep,
        setups: domainParts.setupSweep,
        zones: { sweep: sweepZones },
        certificates: { sweep: sweepCertificates },
        dnsOwners,
      }),
  };
}
