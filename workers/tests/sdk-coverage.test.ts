import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApiCaller } from '@tunnox/api-client/api-caller';
import { LoginSession } from '@tunnox/api-client/login-session';
import { ManagementApi } from '@tunnox/api-client/management-api';
import { Resource } from '@tunnox/api-client/resource';
import { ApiDocument, type DocumentOperation } from './contract/api-document.ts';
import { TestStack } from './test-stack.ts';

/** One request that the SDK made. */
interface Recorded {
  method: string;
  path: string;
  query: string[];
  headers: Record<string, string>;
  body: unknown;
}

let stack: TestStack;
let document: ApiDocument;
before(async () => {
  stack = await TestStack.start();
  document = new ApiDocument((await stack.call('GET', '//openapi.json')).body);
});
after(() => stack.stop());

const recorded: Recorded[] = [];
/** Writes down what is asked, and refuses it: what the answers are like is not the question here. */
const caller = new ApiCaller(
  {
    transport: async (url, { method, headers, body }) => {
      const { pathname, searchParams } = new URL(url);
      recorded.push({
        ...{ method, path: pathname, query: [...searchParams.keys()], headers },
        body: body === undefined ? undefined : JSON.parse(body),
      });
      const problem = { code: 'conflict', title: 'Recorded', detail: 'Recorded' };
      return { status: 409, headers: new Headers(), text: async () => JSON.stringify(problem) };
    },
  },
  { server: 'https://api.example.com', userAgent: 'test' },
);

const page = { page: 2, limit: 5, cursor: 'a1' };
const time = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' };
const series = { ...time, step: 'hour' } as const;
const logged = { user_id: 1, action: 'a', object_type: 'b', object_id: 'c', request_id: 'd', ...time };
const ifVersion = { ifVersion: 3 };
const target = { target_host: 'localhost', target_port: 80 };
const limits = {
  ...{ max_clients: 1, max_mappings: 1, max_active_mappings: 1, max_connections_per_mapping: 1 },
  ...{ total_bandwidth_limit: 1, monthly_traffic_limit: null },
};

/** Every method of every resource, with all that it takes. */
const CALLS: { [Name in keyof ManagementApi]: Methods<ManagementApi[Name]> } = {
  me: { me: (api) => api.me() },
  users: {
    create: (api) => api.users.create({ username: 'ada', email: 'ada@example.com', plan: 'pro' }),
    list: (api) => api.users.list({ ...page, status: 'active' }),
    get: (api) => api.users.get(1),
    update: (api) => api.users.update(1, { username: 'ada' }, ifVersion),
    delete: (api) => api.users.delete(1, ifVersion),
    clients: (api) => api.users.clients(1, { ...page, type: 'managed', status: 'active', q: 'x' }),
    mappings: (api) => api.users.mappings(1, { ...page, protocol: 'tcp' }),
    quota: (api) => api.users.quota(1),
    setQuota: (api) => api.users.setQuota(1, { max_clients: null }, ifVersion),
    resetQuota: (api) => api.users.resetQuota(1, ifVersion),
  },
  apiKeys: {
    create: (api) => api.apiKeys.create(1, { name: 'x', scopes: ['read'] }),
    list: (api) => api.apiKeys.list(1),
    page: (api) => api.apiKeys.page(1, page),
    revoke: (api) => api.apiKeys.revoke(1, 2),
  },
  plans: { list: (api) => api.plans.list(), set: (api) => api.plans.set('pro', limits) },
  namespaces: {
    create: (api) => api.namespaces.create({ name: 'x' }),
    list: (api) => api.namespaces.list({ ...page, user_id: 1 }),
    get: (api) => api.namespaces.get(1),
    update: (api) => api.namespaces.update(1, { name: 'x' }, ifVersion),
    delete: (api) => api.namespaces.delete(1, ifVersion),
    members: (api) => api.namespaces.members(1, page),
    setMember: (api) => api.namespaces.setMember(1, 2, 'viewer'),
    removeMember: (api) => api.namespaces.removeMember(1, 2),
  },
  clients: {
    create: (api) => api.clients.create({ client_name: 'x' }),
    list: (api) =>
      api.clients.list({ ...page, type: 'managed', status: 'suspended', q: 'x', user_id: 1, namespace_id: 2 }),
    get: (api) => api.clients.get(1),
    update: (api) => api.clients.update(1, { enabled: false }, ifVersion),
    delete: (api) => api.clients.delete(1, ifVersion),
    disconnect: (api) => api.clients.disconnect(1, ifVersion),
    rotateCode: (api) => api.clients.rotateCode(1, ifVersion),
    claim: (api) => api.clients.claim({ anonymous_client_id: 1, auth_code: 'x' }),
    mappings: (api) => api.clients.mappings(1, { ...page, protocol: 'tcp' }),
  },
  mappings: {
    create: (api) => api.mappings.create({ ...target, target_client_id: 1 }),
    list: (api) => api.mappings.list({ ...page, protocol: 'tcp', user_id: 1, namespace_id: 2, client_id: 3 }),
    get: (api) => api.mappings.get(1),
    update: (api) => api.mappings.update(1, { enabled: true }, ifVersion),
    delete: (api) => api.mappings.delete(1, ifVersion),
  },
  domains: {
    availability: (api) => api.domains.availability('shop', { base_domain: 'example.com' }),
    create: (api) => api.domains.create({ ...target, subdomain: 'shop', client_id: 1 }),
    list: (api) => api.domains.list({ ...page, user_id: 1, namespace_id: 2, client_id: 3 }),
    get: (api) => api.domains.get(1),
    update: (api) => api.domains.update(1, { enabled: true }, ifVersion),
    delete: (api) => api.domains.delete(1, ifVersion),
    verify: (api) => api.domains.verify(1),
    lookup: (api) =>
      Promise.allSettled([api.domains.lookup('shop.example.com'), api.domains.lookup('tcp:default:9020')]),
  },
  reservedNames: {
    list: (api) => api.reservedNames.list(page),
    set: (api) => api.reservedNames.set('shop', { reason: 'a test' }),
    delete: (api) => api.reservedNames.delete('shop'),
  },
  routes: {
    create: (api) => api.routes.create({ endpoint: 'a.example.com', client_id: 1 }),
    createMany: (api) => api.routes.createMany([{ endpoint: 'a.example.com', client_id: 1 }]),
    list: (api) => api.routes.list(page),
    get: (api) => api.routes.get('tcp:default:9020'),
    delete: (api) => api.routes.delete('a.example.com'),
  },
  stats: {
    user: (api) => api.stats.user(1, series),
    client: (api) => api.stats.client(1, series),
    mapping: (api) => api.stats.mapping(1, series),
    domain: (api) => api.stats.domain(1, series),
    system: (api) => api.stats.system(series),
  },
  records: {
    connections: (api) => {
      const what = { binding_id: 'domain:1', mapping_id: 1, domain_id: 2, client_id: 3, user_id: 4 };
      return api.records.connections({ ...page, ...time, ...what });
    },
    audit: (api) => api.records.audit({ ...page, ...logged }),
    exportAudit: (api) => api.records.exportAudit({ ...logged, after: 1 }).next(),
  },
  nodes: {
    list: (api) => api.nodes.list({ status: 'online', group: 'default', region: 'eu' }),
    get: (api) => api.nodes.get('node-001'),
    delete: (api) => api.nodes.delete('node-001'),
    drain: (api) => api.nodes.drain('node-001', 30),
    createJoinToken: (api) => api.nodes.createJoinToken({ uses: 1 }),
    joinTokens: (api) => api.nodes.joinTokens(),
    revokeJoinToken: (api) => api.nodes.revokeJoinToken(1),
  },
  dns: {
    createCredential: (api) =>
      api.dns.createCredential({ name: 'x', provider: 'cloudflare', token: 'a-token-of-40-characters' }),
    credentials: (api) => api.dns.credentials(page),
    credential: (api) => api.dns.credential(1),
    updateCredential: (api) => api.dns.updateCredential(1, { name: 'y' }, ifVersion),
    deleteCredential: (api) => api.dns.deleteCredential(1, ifVersion),
    createZone: (api) => api.dns.createZone({ domain: 'example.com', credential_id: 1 }),
    zones: (api) => api.dns.zones(page),
    zone: (api) => api.dns.zone(1),
    updateZone: (api) => api.dns.updateZone(1, { policy: 'sync' }, ifVersion),
    deleteZone: (api) => api.dns.deleteZone(1, true, ifVersion),
    reconcile: (api) => api.dns.reconcile(1, { dryRun: true, confirm: '0'.repeat(64), adoptIdentical: true }),
    runs: (api) => api.dns.runs(1, page),
    createRecord: (api) => api.dns.createRecord({ zone_id: 1, type: 'A', name: 'www', value: '203.0.113.7' }),
    records: (api) => {
      const what = { zone_id: 1, status: 'active', desired_state: 'present', type: 'A', name: 'www' } as const;
      return api.dns.records({ ...page, ...what, owner_type: 'manual', owner_id: 'x' });
    },
    record: (api) => api.dns.record(1),
    deleteRecord: (api) => api.dns.deleteRecord(1),
    deleteRecords: (api) => api.dns.deleteRecords([1, 2]),
    retryRecord: (api) => api.dns.retryRecord(1),
  },
  certificates: {
    list: (api) => api.certificates.list({ ...page, state: 'active', domain_id: 1, name: 'a.example.com' }),
    get: (api) => api.certificates.get(1),
    renew: (api) => api.certificates.renew(1),
  },
  encryptionKeys: { rotate: (api) => api.encryptionKeys.rotate() },
  signingKeys: { list: (api) => api.signingKeys.list(), rotate: (api) => api.signingKeys.rotate('session') },
};

/** One call of each method. */
type Methods<Part> = Part extends Resource
  ? { [Method in keyof Part]: (api: ManagementApi) => Promise<unknown> }
  : Record<string, (api: ManagementApi) => Promise<unknown>>;

/** What one call asked. */
async function record(call: () => Promise<unknown>): Promise<Recorded[]> {
  recorded.length = 0;
  await call().catch(() => {});
  return [...recorded];
}

function operationOf({ method, path }: Recorded): DocumentOperation | undefined {
  const steps = path.split('/');
  return (
    document.operations
      .filter((operation) => {
        const pattern = operation.path.split('/');
        const fits = (step: string, at: number) => step.startsWith('{') || step === steps[at];
        return operation.method === method && pattern.length === steps.length && pattern.every(fits);
      })
      // A path without parameters is meant before one with.
      .sort((a, b) => a.path.split('{').length - b.path.split('{').length)[0]
  );
}

test('the table of this test has every method of the SDK, and no other', () => {
  const api = new ManagementApi(caller, 'key');
  const resources = Object.entries(api).filter(([, part]) => part instanceof Resource);
  assert.ok(resources.length > 10);
  for (const [name, part] of resources) {
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(part)).filter((one) => one !== 'constructor');
    assert.deepEqual(Object.keys(CALLS[name as keyof typeof CALLS]).sort(), methods.sort(), name);
  }
  const own = Object.getOwnPropertyNames(ManagementApi.prototype).filter((one) => one !== 'constructor');
  assert.deepEqual([...resources.map(([name]) => name), ...own].sort(), Object.keys(CALLS).sort());
});

test('every method of the SDK is an operation of /openapi.json, with its parameters and its body, and there are no others', async () => {
  const api = new ManagementApi(caller, 'key');
  const queries = new Map<DocumentOperation, Set<string>>();
  for (const [resource, methods] of Object.entries(CALLS)) {
    for (const [method, call] of Object.entries(methods as Record<string, (api: ManagementApi) => Promise<unknown>>)) {
      const name = `${resource}.${method}()`;
      const requests = await record(() => call(api));
      assert.ok(requests.length > 0, `${name} asks something`);
      for (const request of requests) {
        const operation = operationOf(request);
        assert.ok(operation !== undefined, `${name}: ${request.method} ${request.path} is an operation`);
        const queried = queries.get(operation) ?? new Set();
        queries.set(operation, queried);
        for (const one of request.query) queried.add(one);
        const schema = operation.requestBody?.content['application/json']?.schema;
        if (schema !== undefined) assert.deepEqual(document.faults(request.body, schema), [], name);
        const headers = operation.parameters.filter((parameter) => parameter.in === 'header');
        for (const header of headers)
          assert.ok(header.name.toLowerCase() in request.headers, `${name}: ${header.name}`);
        assert.equal(request.headers['authorization'], 'Bearer key');
      }
    }
  }
  for (const [operation, queried] of queries) {
    const known = operation.parameters
      .filter((parameter) => parameter.in === 'query')
      .map((parameter) => parameter.name);
    assert.deepEqual([...queried].sort(), known.sort(), operation.name);
  }

  const reached = new Set([...queries.keys()].map((operation) => operation.name));
  const session = LoginSession.resume({ caller }, 'refresh');
  const logins = [
    () => LoginSession.login({ caller }, { login: 'ada', password: 'secret' }),
    () => session.bearer(),
    () => session.logout(),
  ];
  for (const call of logins) {
    for (const request of await record(call)) {
      const operation = operationOf(request);
      assert.ok(operation !== undefined, `${request.method} ${request.path}`);
      const schema = operation.requestBody?.content['application/json']?.schema;
      assert.deepEqual(document.faults(request.body, schema ?? {}), [], operation.name);
      reached.add(operation.name);
    }
  }
  const managed = document.operations.filter(({ path }) => path.startsWith('/api/v1/'));
  assert.deepEqual([...reached].sort(), managed.map(({ name }) => name).sort());
});
