// Who may import whom; the reasons stand in docs/ARCHITECTURE.md. Checked by `pnpm check`, and scripts/check-imports.test.js
// proves that a planted violation of each kind is found.

/** Packages that each package may import, beside itself. */
const PACKAGES = {
  protocol: [],
  domain: [],
  'dns-plan': ['domain'],
  config: [],
  observability: [],
  certificates: [],
  streams: ['protocol'],
  'api-client': ['domain'],
  agent: ['api-client', 'domain', 'protocol', 'streams'],
  cli: ['agent', 'api-client', 'domain'],
  db: ['domain'],
  'route-store': ['domain'],
  gateways: ['config', 'observability'],
  devstack: ['api-client', 'certificates', 'config', 'db', 'domain', 'gateways', 'observability'],
};
const RELAY = ['certificates', 'config', 'domain', 'observability', 'protocol', 'route-store', 'streams'];
const WORKERS = ['db', 'dns-plan', 'domain', 'route-store'];
/** Tests and what only tests run. */
const TESTS = '\\.test\\.ts$|/tests/|/test-support/|^packages/testing/|^packages/route-store/src/contract\\.ts$';

const otherPackagesThan = (names) => `^packages/(?!(?:${names.join('|')})/)`;

/**
 * One layer of an application, and the folders beside it that it must not know. A relay's layers may name each other's
 * shapes (`import type`); the control plane's not even those.
 */
const layer = (application, name, forbidden, except = []) => ({
  name: `${application}-${name}`,
  comment: `${application}/src/${name} must not know ${forbidden.join(', ')}`,
  severity: 'error',
  from: { path: `^${application}/src/${name}/`, pathNot: [TESTS, ...except] },
  to: {
    path: `^${application}/src/(?:${forbidden.join('|')})/`,
    ...(application === 'relay' ? { dependencyTypesNot: ['type-only'] } : {}),
  },
});

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^cloudflare:' } },
    {
      name: 'packages-by-exports',
      comment: 'a package is imported by its name and exports, never by a relative path',
      severity: 'error',
      from: { path: '^(?:(packages/[^/]+)|([a-z]+))/', pathNot: '^scripts/' },
      to: { path: '^(?:packages/[^/]+|relay|workers|bench)/', pathNot: ['^$1/', '^$2/'], dependencyTypes: ['local'] },
    },
    {
      name: 'testing-only-from-tests',
      severity: 'error',
      from: { pathNot: [TESTS, '^bench/'] },
      to: { path: '^packages/testing/' },
    },
    {
      name: 'tests-are-not-imported',
      severity: 'error',
      from: { pathNot: TESTS },
      to: { path: '\\.test\\.ts$|/tests/' },
    },
    {
      name: 'pure-packages',
      comment: 'protocol, domain and dns-plan import no platform and no npm package, zod in domain excepted',
      severity: 'error',
      from: { path: '^packages/(?:protocol|domain|dns-plan)/', pathNot: TESTS },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-no-pkg', 'unknown'], pathNot: '/node_modules/zod/' },
    },
    {
      name: 'zod-only-in-domain',
      severity: 'error',
      from: { path: '^packages/(?:protocol|dns-plan)/', pathNot: TESTS },
      to: { path: '/node_modules/zod/' },
    },
    ...Object.entries(PACKAGES).map(([name, allowed]) => ({
      name: `package-${name}`,
      severity: 'error',
      from: { path: `^packages/${name}/`, pathNot: TESTS },
      to: { path: [otherPackagesThan([name, ...allowed]), '^(?:relay|workers|bench)/'] },
    })),
    {
      name: 'relay-packages',
      comment: 'a relay never sees the database or the Worker',
      severity: 'error',
      from: { path: '^relay/', pathNot: TESTS },
      to: { path: [otherPackagesThan(RELAY), '^(?:workers|bench)/'] },
    },
    {
      name: 'workers-packages',
      severity: 'error',
      from: { path: '^workers/', pathNot: TESTS },
      to: { path: [otherPackagesThan(WORKERS), '^(?:relay|bench)/'] },
    },
    layer('relay', 'listener', ['router', 'upstream', 'session', 'bridge', 'control-plane']),
    // A visiting agent is a visitor that says hello as an agent does.
    layer('relay', 'proxy', ['listener', 'session', 'bridge', 'control-plane', 'admin'], ['/visit-server\\.ts$']),
    layer('relay', 'router', ['listener', 'proxy', 'session', 'bridge', 'admin']),
    layer('relay', 'upstream', ['listener', 'proxy', 'router', 'control-plane', 'admin']),
    layer('relay', 'session', ['listener', 'proxy', 'router', 'bridge', 'admin']),
    layer('relay', 'bridge', ['listener', 'proxy', 'router', 'session', 'admin']),
    layer('workers', 'api', ['repositories', 'objects', 'dns-resolver']),
    layer('workers', 'services', ['api', 'repositories', 'objects', 'dns-resolver']),
    layer('workers', 'repositories', ['api', 'dns-resolver']),
    layer('workers', 'dns-resolver', ['api', 'repositories', 'objects']),
    layer('workers', 'lookup', ['api']),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js', '.d.ts'],
    },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(?:^|/)dist/' },
  },
};
