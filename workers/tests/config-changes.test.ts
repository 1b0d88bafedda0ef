import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AgentConfig, type AgentConfigAnswer, agentConfigAnswerSchema } from '@tunnox/domain/agent-config';
import fc from 'fast-check';
import { LiveHarness, type Tenant } from './live-harness.ts';

let harness: LiveHarness;
before(async () => {
  harness = await LiveHarness.start();
  // The pool of its ports.
  await harness.relay();
});
after(() => harness.stop());

/** An agent that keeps its configuration by what has changed, and can say what the whole would be. */
class ChangesReader {
  readonly clientId: number;
  readonly #token: string;
  config: AgentConfig;
  /** Answers that were changes, and that were the whole. */
  readonly seen = { changes: 0, wholes: 0 };

  constructor(clientId: number, token: string, config: AgentConfig) {
    this.clientId = clientId;
    this.#token = token;
    this.config = config;
  }

  async fetch(since: number, delta: boolean): Promise<{ answer: AgentConfigAnswer | null; bytes: number }> {
    const response = await fetch(`${harness.plane.apiUrl}/agent/v1/config?since=${since}${delta ? '&delta=1' : ''}`, {
      headers: { authorization: `Bearer ${this.#token}` },
    });
    const text = await response.text();
    assert.ok(response.ok, text);
    return { answer: text === '' ? null : agentConfigAnswerSchema.parse(JSON.parse(text)), bytes: text.length };
  }

  async whole(): Promise<AgentConfig> {
    const { answer } = await this.fetch(-1, false);
    assert.ok(answer !== null && !('since' in answer));
    return answer;
  }

  async update(): Promise<void> {
    const { answer } = await this.fetch(this.config.version, true);
    if (answer === null) return;
    if (!('since' in answer)) {
      this.seen.wholes += 1;
      this.config = answer;
      return;
    }
    this.seen.changes += 1;
    const bindings = new Map(this.config.bindings.map((binding) => [binding.binding_id, binding]));
    for (const id of answer.removed) assert.ok(!answer.bindings.some((binding) => binding.binding_id === id));
    for (const id of answer.removed) bindings.delete(id);
    for (const binding of answer.bindings) bindings.set(binding.binding_id, binding);
    this.config = { version: answer.version, bindings: [...bindings.values()] };
  }

  async check(after: string): Promise<void> {
    await this.update();
    const sorted = ({ version, bindings }: AgentConfig) => ({
      version,
      bindings: [...bindings].sort((a, b) => (a.binding_id < b.binding_id ? -1 : 1)),
    });
    assert.deepEqual(sorted(this.config), sorted(await this.whole()), after);
  }
}

async function newReader(tenant: Tenant): Promise<ChangesReader> {
  const session = await harness.session(tenant, {});
  assert.ok(!('since' in session.config));
  return new ChangesReader(session.client_id, session.access_token, session.config);
}

let names = 0;

/** Three clients of a tenant, and every kind of change that concerns their configurations. */
class World {
  readonly tenant: Tenant;
  readonly readers: [ChangesReader, ChangesReader, ChangesReader];
  #mappings: number[] = [];
  #domains: number[] = [];
  #routes: string[] = [];

  private constructor(tenant: Tenant, readers: World['readers']) {
    this.tenant = tenant;
    this.readers = readers;
  }

  static async make(): Promise<World> {
    const tenant = await harness.tenant();
    return new World(tenant, [await newReader(tenant), await newReader(tenant), await newReader(tenant)]);
  }

  #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    return harness.api<T>(method, path, body, this.tenant.apiKey);
  }

  #client(n: number): number {
    return this.readers[n % 3]?.clientId ?? 0;
  }

  readonly changes: Record<string, (n: number) => Promise<unknown>> = {
    'make and delete a public mapping': async (n) => {
      const wish = { target_client_id: this.#client(n), target_port: 22 };
      const { mapping_id } = await this.#call<{ mapping_id: number }>('POST', '/mappings', wish);
      await this.readers[n % 3]?.check('with a public port');
      await this.#call('DELETE', `/mappings/${mapping_id}`);
    },
    'make a private mapping': async (n) => {
      const ends = { target_client_id: this.#client(n), source_client_id: this.#client(n + 1) };
      const wish = { ...ends, target_port: 22, local_port: 1000 + n };
      const { mapping_id } = await this.#call<{ mapping_id: number }>('POST', '/mappings', wish);
      this.#mappings.push(mapping_id);
    },
    'make a mapping of several': async (n) => {
      const upstreams = [{ client_id: this.#client(n) }, { client_id: this.#client(n + 1), priority: 1 }];
      const wish = { upstreams, target_port: 23, source_client_id: this.#client(n + 2), local_port: 2000 + n };
      const { mapping_id } = await this.#call<{ mapping_id: number }>('POST', '/mappings', wish);
      this.#mappings.push(mapping_id);
    },
    'change a mapping': async (n) => {
      const id = this.#mappings[n % this.#mappings.length];
      if (id !== undefined) await this.#call('PUT', `/mappings/${id}`, { target_port: 100 + n, enabled: n % 2 === 0 });
    },
    'change who serves a mapping': async (n) => {
      const id = this.#mappings[n % this.#mappings.length];
      if (id === undefined) return;
      const { source_client_id } = await this.#call<{ source_client_id: number }>('GET', `/mappings/${id}`);
      const others = [0, 1, 2].map((k) => this.#client(n + k)).filter((client) => client !== source_client_id);
      await this.#call('PUT', `/mappings/${id}`, {
        upstreams: others.slice(0, 1 + (n % 2)).map((client_id) => ({ client_id })),
      });
    },
    'delete a mapping': async (n) => {
      const [id] = this.#mappings.splice(n % (this.#mappings.length || 1), 1);
      if (id !== undefined) await this.#call('DELETE', `/mappings/${id}`);
    },
    'make a domain': async (n) => {
      const wish = { client_id: this.#client(n), subdomain: `cc-${(names += 1)}`, target_port: 3000 };
      const { domain_id } = await this.#call<{ domain_id: number }>('POST', '/domains', wish);
      this.#domains.push(domain_id);
    },
    'change a domain': async (n) => {
      const id = this.#domains[n % this.#domains.length];
      if (id === undefined) return;
      await this.#call('PUT', `/domains/${id}`, { enabled: n % 2 === 0, client_id: this.#client(n) });
    },
    'delete a domain': async (n) => {
      const [id] = this.#domains.splice(n % (this.#domains.length || 1), 1);
      if (id !== undefined) await this.#call('DELETE', `/domains/${id}`);
    },
    'make routes': async (n) => {
      const routes = [0, 1, 2].map((k) => ({
        endpoint: `cr-${(names += 1)}.${harness.plane.baseDomain}`,
        ...{ client_id: this.#client(n + (k % 2)), target_port: 80, ttl_seconds: 600 },
      }));
      await this.#call('POST', '/routes/batch', { routes });
      this.#routes.push(...routes.map(({ endpoint }) => endpoint));
    },
    'delete a route': async (n) => {
      const [name] = this.#routes.splice(n % (this.#routes.length || 1), 1);
      if (name !== undefined) await this.#call('DELETE', `/routes/${name}`);
    },
    'let routes end': async (n) => {
      const ending = this.#routes.splice(0, 1 + (n % 2));
      await harness.sql('update http_domain_mappings set expires_at = now() where full_domain = any($1)', ending);
      await harness.plane.runScheduled();
    },
    'change the limits': (n) =>
      harness.api('POST', `/users/${this.tenant.userId}/quota`, { max_active_mappings: 100 + n }),
    'change the plan': (n) =>
      harness.api('PUT', `/users/${this.tenant.userId}`, { plan: n % 2 === 0 ? 'pro' : 'enterprise' }),
    'make and delete a client that served too': async (n) => {
      const { client_id } = await this.#call<{ client_id: number }>('POST', '/clients', { client_name: 'fourth' });
      const both = [{ client_id }, { client_id: this.#client(n) }];
      const wish = { upstreams: both, subdomain: `cc-${(names += 1)}`, target_port: 3000 };
      const { domain_id } = await this.#call<{ domain_id: number }>('POST', '/domains', wish);
      this.#domains.push(domain_id);
      await this.#call('POST', '/mappings', {
        ...{ target_client_id: this.#client(n), source_client_id: client_id, local_port: 3000 + n, target_port: 1 },
      });
      await this.#call('DELETE', `/clients/${client_id}`);
    },
  };
}

test('what has changed, applied, is the whole: after each kind of change', async () => {
  const world = await World.make();
  for (const [name, change] of Object.entries(world.changes)) {
    const before = world.readers.map(({ config }) => config.version);
    for (const n of [0, 1]) await change(n);
    for (const reader of world.readers) await reader.check(name);
    const rose = world.readers.some(({ config }, index) => config.version > (before[index] ?? 0));
    assert.ok(rose, `'${name}' changes somebody's configuration`);
  }
  for (const { seen } of world.readers) {
    assert.equal(seen.wholes, 0, 'every change leaves its note');
    assert.ok(seen.changes > 5);
  }
});

test('what has changed, applied, is the whole: after any changes, however many are missed', async () => {
  const world = await World.make();
  const kinds = Object.keys(world.changes);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...kinds), fc.nat(9)), { minLength: 1, maxLength: 6 }),
      fc.nat(2),
      async (steps, first) => {
        for (const [kind, n] of steps) await world.changes[kind]?.(n);
        // Others catch up later.
        await world.readers[first]?.check(JSON.stringify(steps));
      },
    ),
    { numRuns: 12 },
  );
  for (const reader of world.readers) await reader.check('at the end');
  for (const { seen } of world.readers) assert.equal(seen.wholes, 0);
});

test('the whole comes when a version has left no note, when it was too long ago, and to who asks for it', async () => {
  const world = await World.make();
  const [reader] = world.readers;
  await world.changes['make a domain']?.(0);
  await reader.check('one');
  // A version of the Worker that leaves none.
  await harness.sql('update clients set config_version = config_version + 1 where client_id = $1', reader.clientId);
  await world.changes['make a domain']?.(0);
  await reader.check('no note');
  assert.deepEqual(reader.seen, { changes: 1, wholes: 1 });
  await world.changes['make a domain']?.(0);
  const old = await reader.fetch(reader.config.version, false);
  assert.ok(old.answer !== null && !('since' in old.answer), 'an agent of before gets all of it');
  await harness.sql(`update client_config_changes set created_at = now() - interval '8 days'`);
  await harness.plane.runScheduled();
  await reader.check('too old');
  assert.equal(reader.seen.wholes, 2);
  const [left] = await harness.sql<{ count: number }>('select count(*)::int as count from client_config_changes');
  assert.equal(left?.count, 0);
  assert.equal((await reader.fetch(reader.config.version, true)).answer, null, 'nothing is newer');
});

test('POST /agent/v1/session answers with what has changed to an agent that says what it has', async () => {
  const world = await World.make();
  const [reader] = world.readers;
  await world.changes['make a domain']?.(0);
  const known = { client_id: reader.clientId, config_version: reader.config.version };
  const missed = await harness.session(world.tenant, known);
  assert.ok('since' in missed.config && missed.config.since === reader.config.version);
  assert.equal(missed.config.bindings.length, 1);
  const current = await harness.session(world.tenant, { ...known, config_version: missed.config.version });
  assert.deepEqual(current.config, {
    ...{ version: missed.config.version, since: missed.config.version, bindings: [], removed: [] },
  });
  for (const status of ['disabled', 'active']) {
    await harness.api('PUT', `/users/${world.tenant.userId}`, { status });
  }
  const back = await harness.session(world.tenant, { ...known, config_version: missed.config.version });
  assert.ok('since' in back.config && back.config.version > missed.config.version);
  assert.deepEqual([back.config.bindings, back.config.removed], [[], []]);
  const ahead = await harness.session(world.tenant, { ...known, config_version: 1_000_000 });
  assert.ok(!('since' in ahead.config));
  const made = await harness.session(world.tenant, { config_version: 1 });
  assert.ok(!('since' in made.config), 'a new client has no versions');
});

test('one change of a thousand bindings is told in a thousandth of the bytes', async (t) => {
  const tenant = await harness.tenant();
  await harness.api('POST', `/users/${tenant.userId}/quota`, { max_mappings: null });
  const reader = await newReader(tenant);
  for (let from = 0; from < 1000; from += 500) {
    const routes = Array.from({ length: 500 }, (_, index) => ({
      endpoint: `bytes-${from + index}.${harness.plane.baseDomain}`,
      ...{ client_id: reader.clientId, target_port: 80, ttl_seconds: 600 },
    }));
    await harness.api('POST', '/routes/batch', { routes }, tenant.apiKey);
  }
  reader.config = await reader.whole();
  assert.equal(reader.config.bindings.length, 1000);
  await harness.api('DELETE', `/routes/bytes-0.${harness.plane.baseDomain}`, undefined, tenant.apiKey);
  const wish = { client_id: reader.clientId, subdomain: 'bytes-new', target_port: 80 };
  await harness.api('POST', '/domains', wish, tenant.apiKey);
  const [changes, whole] = [await reader.fetch(reader.config.version, true), await reader.fetch(-1, false)];
  t.diagnostic(`two changes: ${changes.bytes} bytes; the whole: ${whole.bytes} bytes`);
  assert.ok(changes.bytes < 500 && whole.bytes > 100_000);
  await reader.check('two of a thousand');
});
