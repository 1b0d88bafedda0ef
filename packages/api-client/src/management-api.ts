import { type Me, meSchema } from '@tunnox/domain/api/users';
import type { ApiCaller } from './api-caller.ts';
import { type Bearer, type CallOptions, Resource, V1 } from './resource.ts';
import { ApiKeys } from './resources/api-keys.ts';
import { Certificates } from './resources/certificates.ts';
import { Clients } from './resources/clients.ts';
import { Dns } from './resources/dns.ts';
import { Domains } from './resources/domains.ts';
import { EncryptionKeys } from './resources/encryption-keys.ts';
import { Mappings } from './resources/mappings.ts';
import { Namespaces } from './resources/namespaces.ts';
import { Nodes } from './resources/nodes.ts';
import { Plans } from './resources/plans.ts';
import { Records } from './resources/records.ts';
import { ReservedNames } from './resources/reserved-names.ts';
import { Routes } from './resources/routes.ts';
import { SigningKeys } from './resources/signing-keys.ts';
import { Stats } from './resources/stats.ts';
import { Users } from './resources/users.ts';

/**
 * The management API, `/api/v1`, with one credential. Every call throws `ApiError`; what is not the caller's is
 * `not_found`.
 */
export class ManagementApi extends Resource {
  readonly users: Users;
  readonly apiKeys: ApiKeys;
  readonly plans: Plans;
  readonly namespaces: Namespaces;
  readonly clients: Clients;
  readonly mappings: Mappings;
  readonly domains: Domains;
  readonly dns: Dns;
  readonly certificates: Certificates;
  readonly reservedNames: ReservedNames;
  readonly routes: Routes;
  readonly stats: Stats;
  readonly records: Records;
  readonly nodes: Nodes;
  readonly signingKeys: SigningKeys;
  readonly encryptionKeys: EncryptionKeys;

  /** @param bearer API key or access token; a `LoginSession` gives its present one: `session.bearer`. */
  constructor(caller: ApiCaller, bearer: Bearer) {
    super(caller, bearer);
    this.users = new Users(caller, bearer);
    this.apiKeys = new ApiKeys(caller, bearer);
    this.plans = new Plans(caller, bearer);
    this.namespaces = new Namespaces(caller, bearer);
    this.clients = new Clients(caller, bearer);
    this.mappings = new Mappings(caller, bearer);
    this.domains = new Domains(caller, bearer);
    this.dns = new Dns(caller, bearer);
    this.certificates = new Certificates(caller, bearer);
    this.reservedNames = new ReservedNames(caller, bearer);
    this.routes = new Routes(caller, bearer);
    this.stats = new Stats(caller, bearer);
    this.records = new Records(caller, bearer);
    this.nodes = new Nodes(caller, bearer);
    this.signingKeys = new SigningKeys(caller, bearer);
    this.encryptionKeys = new EncryptionKeys(caller, bearer);
  }

  /** Whose credential this is. */
  me(options?: CallOptions): Promise<Me> {
    return this.read(`${V1}/me`, meSchema, {}, options);
  }
}
