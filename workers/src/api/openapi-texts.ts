import { VERSION } from '../version.ts';

export const INFO = {
  title: 'Tunnox management API',
  version: VERSION,
  summary: 'Users, clients, tunnels, names and relays of a Tunnox control plane',
  description: [
    'Bodies and answers are JSON in snake_case, ids are integers, times are RFC 3339 in UTC.',
    '',
    '**Errors** are `application/problem+json` (RFC 9457) with a stable `code`; `errors[]` points at each field that is',
    'not valid. What belongs to somebody else does not exist: 404. A method that a path does not have is 405 with',
    '`Allow`. A query parameter that an operation does not have is 422.',
    '',
    '**Lists** have `page` and `limit`, or `cursor` with the `next_cursor` of the page before, which goes on in the right',
    'place also while items are made.',
    '',
    '**Retrying**: a POST with an `Idempotency-Key` is carried out once; within 24 hours a repeat gets the first answer.',
    '**Changing** without overwriting what somebody else has changed: send the `ETag` of what was read in `If-Match`.',
    '',
    '**Rates** are limited by address and by principal; `RateLimit` tells what is left, 429 and 503 say when to try again',
    'in `Retry-After`. Every answer carries `X-Request-Id`, which also stands in the log.',
  ].join('\n'),
  contact: { name: 'Tunnox contributors' },
  license: { name: 'Apache License 2.0', identifier: 'Apache-2.0' },
};

export const SECURITY_SCHEME = {
  type: 'http',
  scheme: 'bearer',
  description: [
    'The operator key, an API key (`tnx_live_…`), the access token of a log-in, or that of an agent.',
    'API keys have scopes: `read` and `write` for everything, or by area such as `clients:read`; one of those that an',
    'operation lists is enough.',
  ].join(' '),
} as const;

/** Every tag that an operation has, in the order of the reference page. */
export const TAGS = [
  { name: 'auth', description: 'Logging in and out, and whose credential this is' },
  { name: 'users', description: 'Accounts and their API keys' },
  { name: 'quotas', description: 'Plans, limits, and what is used of them' },
  { name: 'clients', description: 'The identities of agents' },
  { name: 'mappings', description: 'Public ports, and private ones from one client to another' },
  { name: 'domains', description: 'HTTP names: under a base domain, or one’s own' },
  { name: 'routes', description: 'What endpoints are bound to, and where their clients are' },
  { name: 'namespaces', description: 'Teams that share clients, mappings and domains' },
  { name: 'stats', description: 'Traffic and use, now and over time' },
  { name: 'connections', description: 'Tunnels that have ended' },
  { name: 'audit', description: 'Who has changed what' },
  { name: 'nodes', description: 'Relays, and the tokens with which they join (operators)' },
  { name: 'signing-keys', description: 'Keys that sign tickets and tokens (operators)' },
  { name: 'service', description: 'Health of the control plane itself' },
];

/** What a parameter means where its route says nothing else. */
export const PARAMETER_DESCRIPTIONS: Partial<Record<string, string>> = {
  page: 'Number of the page; the first is 1. Not used with `cursor`',
  limit: 'Items on a page',
  cursor: 'The `next_cursor` of the page before',
  user_id: 'Id of the user',
  key_id: 'Id of the API key',
  client_id: 'Id of the client',
  mapping_id: 'Id of the mapping',
  domain_id: 'Id of the domain',
  namespace_id: 'Id of the team',
  node_id: 'Id of the relay, such as `node-001`',
  token_id: 'Id of the join token',
  type: 'Only clients of this type',
  protocol: 'Only mappings of this protocol',
  status: 'Only those with this status',
  name: 'The name: a label under a base domain, or a whole host name',
  base_domain: 'The base domain of a label; absent: the first one',
  host: 'A host name',
  endpoint: 'A host name, or `tcp:{group}:{port}`',
  from: 'Not before this moment',
  to: 'Before this moment',
  step: 'Length of a step of the time series',
  action: 'Only this action, such as `domain.create`',
  object_type: 'Only objects of this type',
  object_id: 'Only this object',
  request_id: 'Only changes of the request with this `X-Request-Id`',
  binding_id: 'Only this mapping or domain, such as `mapping:1001`',
  q: 'A part of the name, in capitals or not',
  group: 'Only relays of this group',
  region: 'Only relays of this region',
  after: 'Behind the entry with this `audit_id`',
  'Idempotency-Key': 'Chosen by the caller: the request is carried out once, repeats get the first answer for 24 hours',
};
