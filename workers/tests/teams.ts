import assert from 'node:assert/strict';
import { type Answer, BASE_DOMAIN, type CallOptions, type TestStack } from './test-stack.ts';

export type Role = 'owner' | 'admin' | 'member' | 'viewer';

export interface Person {
  userId: number;
  token: string;
}

/** A team with one of each role, and something of everything in it. */
export interface Team {
  id: number;
  people: Record<Role, Person>;
  clientId: number;
  otherClientId: number;
  mappingId: number;
  domainId: number;
  host: string;
}

export const ROLES: Role[] = ['owner', 'admin', 'member', 'viewer'];

/** Teams of tests, and calls of their members. */
export class Teams {
  readonly #stack: TestStack;

  constructor(stack: TestStack) {
    this.#stack = stack;
  }

  readonly call = (
    person: Pick<Person, 'token'>,
    method: string,
    path: string,
    body?: unknown,
    more: CallOptions = {},
  ): Promise<Answer> => this.#stack.call(method, path, { token: person.token, body, ...more });

  readonly newNamespace = (owner: Person, name: string): Promise<number> =>
    made(this.call(owner, 'POST', '/namespaces', { name }), 'namespace_id');

  /** Makes a team. */
  async make(name: string): Promise<Team> {
    const people = {} as Record<Role, Person>;
    for (const role of ROLES) people[role] = await this.#stack.newUser(`${name}-${role}`);
    const id = await this.newNamespace(people.owner, name);
    for (const role of ROLES.slice(1)) {
      const put = await this.call(people.owner, 'PUT', `/namespaces/${id}/members/${people[role].userId}`, { role });
      assert.deepEqual([put.status, put.body['role']], [200, role]);
    }
    // By a member, not by its owner: both have the same right.
    const newClient = (client_name: string) =>
      made(this.call(people.member, 'POST', '/clients', { client_name, namespace_id: id }), 'client_id');
    const [clientId, otherClientId] = [await newClient(`${name}-a`), await newClient(`${name}-b`)];
    const mappingId = await made(
      this.call(people.member, 'POST', '/mappings', {
        ...{ source_client_id: otherClientId, target_client_id: clientId, local_port: 2222 },
        ...{ target_host: `${name}-target.internal`, target_port: 22 },
      }),
      'mapping_id',
    );
    const domain = await this.call(people.member, 'POST', '/domains', {
      ...{ client_id: clientId, subdomain: `${name}-name`, target_host: `${name}-web.internal`, target_port: 80 },
    });
    const domainId = await made(Promise.resolve(domain), 'domain_id');
    return { id, people, clientId, otherClientId, mappingId, domainId, host: domain.body['full_domain'] as string };
  }

  /** What the team has, as rows; without what a look at it changes. */
  async stored({ id }: Team): Promise<string> {
    const { rows } = await this.#stack.database.query<{ all: unknown }>(
      `select jsonb_build_array(
         (select jsonb_agg(to_jsonb(n)) from namespaces n where namespace_id = $1),
         (select jsonb_agg(to_jsonb(s) order by user_id) from memberships s where namespace_id = $1),
         (select jsonb_agg(to_jsonb(c) order by client_id) from clients c where namespace_id = $1),
         (select jsonb_agg(to_jsonb(m) order by mapping_id) from port_mappings m where namespace_id = $1),
         (select jsonb_agg(to_jsonb(d) order by id) from http_domain_mappings d where namespace_id = $1)) as all`,
      [id],
    );
    return JSON.stringify(rows[0]?.all);
  }

  async audited(action: string, objectId: number): Promise<{ actor_id: number; user_id: number; after: object }[]> {
    const { rows } = await this.#stack.database.query(
      `select actor_id::int, user_id::int, before, after from audit_log where action = $1 and object_id = $2 order by id`,
      [action, String(objectId)],
    );
    return rows as { actor_id: number; user_id: number; after: object }[];
  }
}

export function assertStatus({ status, body }: Answer, expected: number, what = ''): void {
  assert.equal(status, expected, `${what} ${JSON.stringify(body)}`);
}

/** Id of what was made. */
export async function made(answer: Promise<Answer>, id: string): Promise<number> {
  const { status, body } = await answer;
  assert.equal(status, 201, JSON.stringify(body));
  return body[id] as number;
}

/** Reads of everything in a team. */
export const readsOf = ({ id, clientId, mappingId, domainId, host }: Team): string[] => [
  `/namespaces/${id}`,
  `/namespaces/${id}/members`,
  `/clients/${clientId}`,
  `/clients/${clientId}/mappings`,
  `/mappings/${mappingId}`,
  `/domains/${domainId}`,
  `/domains/lookup?host=${host}`,
];

/** Changes of everything in a team that leave it as it is when they are refused. */
export const changesOf = ({ id, clientId, otherClientId, mappingId, domainId }: Team): [string, string, unknown?][] => [
  ['POST', '/clients', { client_name: 'x', namespace_id: id }],
  ['PUT', `/clients/${clientId}`, { client_name: 'x' }],
  ['POST', `/clients/${clientId}/disconnect`],
  ['POST', `/clients/${clientId}/rotate-code`],
  ['DELETE', `/clients/${clientId}`],
  ['POST', '/mappings', { source_client_id: otherClientId, target_client_id: clientId, local_port: 1, target_port: 1 }],
  ['PUT', `/mappings/${mappingId}`, { target_host: 'evil.internal' }],
  ['DELETE', `/mappings/${mappingId}`],
  ['POST', '/domains', { client_id: clientId, target_port: 1 }],
  ['POST', '/routes', { endpoint: `an-intruder.${BASE_DOMAIN}`, client_id: clientId, ttl_seconds: 600 }],
  ['PUT', `/domains/${domainId}`, { target_host: 'evil.internal' }],
  ['DELETE', `/domains/${domainId}`],
];

/** Changes of the team itself. */
export const teamChangesOf = ({ id, people }: Team): [string, string, unknown?][] => [
  ['PUT', `/namespaces/${id}`, { name: 'taken over' }],
  ['PUT', `/namespaces/${id}/members/${people.member.userId}`, { role: 'admin' }],
  ['DELETE', `/namespaces/${id}/members/${people.member.userId}`],
  ['DELETE', `/namespaces/${id}`],
];
