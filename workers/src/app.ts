import type { OpenAPIHono } from '@hono/zod-openapi';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import type { Hono } from 'hono';
import { type AppEnv, createRouter } from './api/context.ts';
import { authenticate } from './api/middleware/authenticate.ts';
import { allowOrigins } from './api/middleware/cors.ts';
import { allowHosts, limitBody, requireJson } from './api/middleware/guard.ts';
import { idempotency } from './api/middleware/idempotency.ts';
import { allowMethods, requireKnownQuery } from './api/middleware/known-routes.ts';
import { limitAddress, limitPrincipal, type RateLimitOptions, tellRates } from './api/middleware/rate-limit.ts';
import { logRequests } from './api/middleware/request-log.ts';
import { describeApi } from './api/openapi-document.ts';
import { toProblemResponse } from './api/problem.ts';
import { RouteTable } from './api/route-table.ts';
import { authRoutes } from './api/routes/auth/auth.ts';
import { auditRoutes } from './api/routes/audit/audit.ts';
import { certificatesRoutes } from './api/routes/certificates/certificates.ts';
import { clientsRoutes } from './api/routes/clients/clients.ts';
import { connectionsRoutes } from './api/routes/connections/connections.ts';
import { dnsCredentialsRoutes } from './api/routes/dns/dns-credentials.ts';
import { dnsRecordsRoutes } from './api/routes/dns/dns-records.ts';
import { dnsZonesRoutes } from './api/routes/dns/dns-zones.ts';
import { type DocsAssets, docsRoutes } from './api/routes/docs/docs.ts';
import { domainsRoutes } from './api/routes/domains/domains.ts';
import { reservedNamesRoutes } from './api/routes/domains/reserved-names.ts';
import { encryptionKeysRoutes } from './api/routes/encryption-keys/encryption-keys.ts';
import { mappingsRoutes } from './api/routes/mappings/mappings.ts';
import { namespacesRoutes } from './api/routes/namespaces/namespaces.ts';
import { nodesRoutes } from './api/routes/nodes/nodes.ts';
import { routesRoutes } from './api/routes/routes/routes.ts';
import { healthRoutes } from './api/routes/service/health.ts';
import { metricsRoutes } from './api/routes/service/metrics.ts';
import { signingKeysRoutes } from './api/routes/signing-keys/signing-keys.ts';
import { statsRoutes } from './api/routes/stats/stats.ts';
import { plansRoutes } from './api/routes/plans/plans.ts';
import { apiKeysRoutes } from './api/routes/users/api-keys.ts';
import { usersRoutes } from './api/routes/users/users.ts';
import type { ApiKeyService } from './services/api-key-service.ts';
import type { AuditService } from './services/audit-service.ts';
import type { Authenticator } from './services/authenticator.ts';
import type { CertificateService } from './services/certificate-service.ts';
import type { ClaimService } from './services/claim-service.ts';
import type { ClientService } from './services/client-service.ts';
import type { DomainProofService } from './services/domain-proof-service.ts';
import type { ConnectionService } from './services/connection-service.ts';
import type { DnsCredentialService } from './services/dns-credential-service.ts';
import type { DnsRecordService } from './services/dns-record-service.ts';
import type { DnsZoneService } from './services/dns-zone-service.ts';
import type { DomainService } from './services/domain-service.ts';
import type { EncryptionKeyService } from './services/encryption-key-service.ts';
import type { LoginService } from './services/login-service.ts';
import type { MappingService } from './services/mapping-service.ts';
import type { HealthRepository, IdempotencyRepository, Log } from './services/node-ports.ts';
import type { MetricsService } from './services/metrics-service.ts';
import type { NamespaceService } from './services/namespace-service.ts';
import type { NodeService } from './services/node-service.ts';
import type { PlanService } from './services/plan-service.ts';
import type { RateLimiter } from './services/rate-limiter.ts';
import type { ReservedNameService } from './services/reserved-name-service.ts';
import type { RouteService } from './services/route-service.ts';
import type { SigningKeyService } from './services/signing-key-service.ts';
import type { StatsService } from './services/stats-service.ts';
import type { UserService } from './services/user-service.ts';

export interface AppParts {
  authenticator: Authenticator;
  users: UserService;
  plans: PlanService;
  apiKeys: ApiKeyService;
  logins: LoginService;
  namespaces: NamespaceService;
  signingKeys: SigningKeyService;
  encryptionKeys: EncryptionKeyService;
  clients: ClientService;
  claims: ClaimService;
  mappings: MappingService;
  domains: DomainService;
  domainProofs: DomainProofService;
  reservedNames: ReservedNameService;
  dnsCredentials: DnsCredentialService;
  dnsZones: DnsZoneService;
  dnsRecords: DnsRecordService;
  certificates: CertificateService;
  routes: RouteService;
  nodes: NodeService;
  stats: StatsService;
  connections: ConnectionService;
  audit: AuditService;
  idempotencyKeys: IdempotencyRepository;
  health: HealthRepository;
  metrics: MetricsService;
  rateLimiter: RateLimiter;
  log: Log;
  docs: DocsAssets;
  /** Routers with credentials of their own, by their path. */
  mounts: { path: string; router: Hono }[];
}

export interface AppOptions {
  /** Host names under which the API answers. */
  apiHosts: readonly string[];
  rateLimit: RateLimitOptions;
  /** Origins of pages that may call the API. */
  corsOrigins: readonly string[];
}

/** The control plane's HTTP interface. */
export function createApp(parts: AppParts, options: AppOptions): OpenAPIHono<AppEnv> {
  const { log } = parts;
  const app = createRouter();
  let table: RouteTable | undefined;
  const routes = () => (table ??= new RouteTable(app));
  let described: string | undefined;
  app.onError((error, c) => {
    if (!(error instanceof TunnoxError) || error.status >= 500) {
      log.error({ request_id: c.get('requestId'), err: describe(error) }, 'A request failed');
    }
    return toProblemResponse(error, c.get('requestId'));
  });
  app.notFound((c) => toProblemResponse(new TunnoxError('not_found', 'There is nothing here'), c.get('requestId')));

  app.use(logRequests(log), allowHosts(options.apiHosts));
  if (options.corsOrigins.length > 0) app.use('/api/v1/*', allowOrigins(options.corsOrigins));
  app.use(allowMethods(routes));
  app.route('/', healthRoutes(parts.health));
  for (const { path, router } of parts.mounts) app.route(path, router);

  app.use(
    '/api/v1/*',
    tellRates,
    // Before authentication: guessing credentials is limited too.
    limitAddress(parts.rateLimiter, options.rateLimit),
    limitBody,
    requireJson,
  );
  app.use(
    '/metrics',
    limitAddress(parts.rateLimiter, options.rateLimit),
    authenticate(parts.authenticator),
    requireKnownQuery(routes),
  );
  app.route('/', metricsRoutes(parts.metrics) as OpenAPIHono<AppEnv>);
  // Whoever logs in has no credential yet.
  app.use('/api/v1/auth/*', requireKnownQuery(routes));
  app.route('/api/v1', authRoutes(parts.logins, options.rateLimit) as OpenAPIHono<AppEnv>);
  app.use(
    '/api/v1/*',
    authenticate(parts.authenticator),
    limitPrincipal(parts.rateLimiter, options.rateLimit),
    requireKnownQuery(routes),
    idempotency(parts.idempotencyKeys, log),
  );
  for (const router of [
    usersRoutes(parts.users),
    plansRoutes(parts.plans),
    apiKeysRoutes(parts.apiKeys),
    namespacesRoutes(parts.namespaces),
    signingKeysRoutes(parts.signingKeys),
    encryptionKeysRoutes(parts.encryptionKeys),
    clientsRoutes(parts.clients, parts.claims),
    mappingsRoutes(parts.mappings),
    // Before the domains: /domains/lookup is no domain's id.
    routesRoutes(parts.routes),
    domainsRoutes(parts.domains, parts.domainProofs),
    reservedNamesRoutes(parts.reservedNames),
    dnsCredentialsRoutes(parts.dnsCredentials),
    dnsZonesRoutes(parts.dnsZones),
    dnsRecordsRoutes(parts.dnsRecords),
    certificatesRoutes(parts.certificates),
    nodesRoutes(parts.nodes),
    statsRoutes(parts.stats),
    connectionsRoutes(parts.connections),
    auditRoutes(parts.audit),
  ]) {
    app.route('/api/v1', router as OpenAPIHono<AppEnv>);
  }

  app.route('/docs', docsRoutes(parts.docs));
  app.get('/openapi.json', (c) => {
    described ??= JSON.stringify(describeApi(app));
    return c.body(described, 200, { 'content-type': 'application/json', 'cache-control': 'no-cache' });
  });
  return app;
}

/** For the log: with the causes, which the answer does not tell. */
function describe(error: unknown): string {
  const parts: string[] = [];
  for (let current = error; current instanceof Error && parts.length < 5; current = current.cause) {
    parts.push(`${current.name}: ${current.message}`);
  }
  return error instanceof Error ? `${parts.join(' ← ')}\n${error.stack ?? ''}` : String(error);
}
