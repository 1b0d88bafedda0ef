import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { migrate } from '@tunnox/db/migrate';
import { bundleWorker } from '@tunnox/devstack/worker-bundle';
import { decodeProtectedHeader } from 'jose';
import type { Client } from 'pg';
import { FakeRelay } from './fake-relay.ts';
import { type Fixture, readFixture, readPreviousWorker } from './previous-version/fixture.ts';
import { mainCalls } from './previous-version/main-calls.ts';
import { PreviousDatabases } from './previous-version/previous-databases.ts';
import { WorkerOnDatabase } from './previous-version/worker-on-database.ts';
import type { Body } from './test-stack.ts';

let fixture: Fixture;
let databases: PreviousDatabases;
before(async () => {
  fixture = await readFixture();
  databases = await PreviousDatabases.start(fixture);
});
after(() => databases?.stop());

describe('the Workers on one database and one set of Durable Objects', () => {
  let database: Client;
  let storageDir: string;
  /** What the previous Worker gave out on the new schema. */
  let given: { session: Body; relayToken: string; privateJwk: object; name: string };

  /** What the new Worker made that the previous one does not know. */
  let made: { areaKey: string; accessToken: string; sharedDomain: string };

  const start = (bundle: Parameters<typeof WorkerOnDatabase.start>[0]['bundle']) =>
    WorkerOnDatabase.start({ bundle, databaseUrl: databases.urlOf('workers'), storageDir, ...fixture });

  before(async () => {
    storageDir = await mkdtemp(join(tmpdir(), 'tunnox-upgrade-'));
    database = await databases.open('workers');
    await migrate({ url: databases.urlOf('workers') });
  });
  after(async () => {
    await database?.end();
    await rm(storageDir, { recursive: true, force: true });
  });

  test('the previous Worker works on the new schema', async () => {
    const worker = await start(await readPreviousWorker(fixture));
    const relays: FakeRelay[] = [];
    try {
      const relay = await comeBack(worker, fixture.facts.relays[0]);
      relays.push(relay);
      const mine = await mainCalls(worker, relay);
      const { facts } = fixture;
      const session = await worker.session(facts.clients.laptop);
      assert.deepEqual(secretsOf(session), facts.secrets);
      given = {
        session,
        relayToken: relay.registration.token,
        privateJwk: await relay.privateJwk(),
        name: mine.name,
      };
      const use = await worker.call('GET', `/users/${facts.users.ada}/quota`);
      assert.equal(use['current_month_traffic'], 2600 + 8_000_040_000);
      await worker.call('DELETE', `/users/${facts.users.carol}`);
      assert.equal((await worker.tryCall('GET', `/users/${facts.users.carol}`)).status, 404);
    } finally {
      for (const relay of relays) relay.drop();
      await worker.stop();
    }
  });

  test('the new Worker takes over: credentials, secrets, keys, changes that nobody was told of', async () => {
    const worker = await start(await bundleWorker(new URL('../../', import.meta.url)));
    const relays: FakeRelay[] = [];
    try {
      await checkCredentials(worker);
      await checkAgents(worker);

      // Tokens of the previous Worker count, and its keys go on signing.
      const { access_token, ticket } = given.session as { access_token: string; ticket: string };
      const config = await worker.call('GET', '/agent/v1/config?since=-1', undefined, access_token);
      assert.deepEqual(config, given.session['config']);
      const stranger = new FakeRelay(worker.apiUrl);
      assert.equal((await stranger.call('/peers', { token: given.relayToken })).status, 200);
      const relay = await comeBack(worker, { ...fixture.facts.relays[0], privateJwk: given.privateJwk });
      relays.push(relay);
      const kids = relay.registration.ticket_keys.keys.map((key) => key.kid);
      assert.ok(kids.includes(decodeProtectedHeader(ticket).kid));
      const { rows } = await database.query(`select kid from signing_keys where purpose = 'ticket'`);
      assert.deepEqual(
        rows.map((row: { kid: string }) => row.kid),
        [decodeProtectedHeader(ticket).kid],
      );

      const untold = fixture.facts.clients.disabledUntold.clientId;
      await worker.sweep();
      const told = await relay.receive('void_tickets', (message) => message.client_id === untold);
      assert.equal(told.code, 'disabled');
      const left = await database.query('select id from outbox where delivered_at is null');
      assert.deepEqual(left.rows, []);
      for (const name of [fixture.facts.domains.name, fixture.facts.domains.untold, given.name]) {
        assert.equal((await relay.lookup(name)).found, true, name);
      }
      await checkRepetition(worker);
      await mainCalls(worker, relay);
      made = await newCalls(worker);
    } finally {
      for (const relay of relays) relay.drop();
      await worker.stop();
    }
  });

  test('the previous Worker goes on with what the new one has written', async () => {
    const worker = await start(await readPreviousWorker(fixture));
    const relays: FakeRelay[] = [];
    try {
      const relay = await comeBack(worker, fixture.facts.relays[0]);
      relays.push(relay);
      await mainCalls(worker, relay);
      for (const list of [
        '/users',
        '/clients',
        '/mappings',
        '/domains',
        '/routes',
        '/nodes',
        '/join-tokens',
        '/plans',
      ]) {
        await worker.call('GET', list);
      }
      assert.deepEqual(secretsOf(await worker.session(fixture.facts.clients.laptop)), fixture.facts.secrets);
      // As docs/UPGRADING.md says.
      assert.equal((await worker.tryCall('GET', '/clients', undefined, made.areaKey)).status, 403);
      assert.equal((await worker.tryCall('GET', '/me', undefined, made.accessToken)).status, 401);
      const shared = await relay.lookup(made.sharedDomain);
      assert.equal(shared.found && shared.upstreams.length, 2);
    } finally {
      for (const relay of relays) relay.drop();
      await worker.stop();
    }
  });

  test('docs/UPGRADING.md names every class of Durable Objects that a way back has to keep', async () => {
    const { objects } = await bundleWorker(new URL('../../', import.meta.url));
    const text = await readFile(new URL('../../docs/UPGRADING.md', import.meta.url), 'utf8');
    const old = Object.values(fixture.worker.objects);
    for (const name of Object.values(objects).filter((one) => !old.includes(one))) {
      assert.ok(text.includes(`export class ${name} extends DurableObject {}`), name);
    }
  });

  async function checkCredentials(worker: WorkerOnDatabase): Promise<void> {
    const { users, keys } = fixture.facts;
    for (const key of [keys.full, keys.read, keys.lasting]) {
      const me = await worker.call('GET', '/me', undefined, key);
      assert.equal(me['user']['user_id'], users.ada);
    }
    assert.equal((await worker.tryCall('GET', '/me', undefined, keys.revoked)).status, 401);
    assert.equal((await worker.tryCall('POST', '/clients', { client_name: 'no' }, keys.read)).status, 403);
    await worker.call(
      'PUT',
      `/clients/${fixture.facts.clients.rotated.clientId}`,
      { client_desc: 'yes' },
      keys.lasting,
    );
  }

  async function checkAgents(worker: WorkerOnDatabase): Promise<void> {
    const { clients, domains, domainIds, secrets, keys } = fixture.facts;
    assert.deepEqual(secretsOf(await worker.session(clients.laptop)), secrets);
    for (const client of [clients.server, clients.rotated, clients.anonymous]) await worker.session(client);
    const body = { agent_version: 'test', protocol: 1 };
    for (const [client, code] of [
      [clients.disabled, 'client_disabled'],
      [clients.claimed, 'client_claimed'],
    ] as const) {
      const { clientId: client_id, authCode: auth_code } = client;
      const refused = await worker.tryCall('POST', '/agent/v1/session', { ...body, client_id, auth_code }, null);
      assert.equal(refused.body['code'], code);
    }
    const pending = await worker.call('GET', `/domains/${domainIds.pending}`, undefined, keys.full);
    assert.deepEqual([pending['full_domain'], pending['status']], [domains.pending, 'pending_verification']);
  }

  /** Old users use what is new; by passwords of both kinds. */
  async function newCalls(worker: WorkerOnDatabase): Promise<typeof made> {
    const { users, passwords, keys, clients } = fixture.facts;
    const login = async (name: string, password: string) =>
      (await worker.call('POST', '/auth/login', { login: name, password }, null))['access_token'] as string;
    const accessToken = await login('ada@customer.example', passwords.ada);
    assert.equal((await worker.call('GET', '/me', undefined, accessToken))['user']['user_id'], users.ada);
    const bobs = await login('bob', passwords.bob);
    assert.equal((await worker.call('GET', '/me', undefined, bobs))['user']['user_id'], users.bob);
    const wrong = await worker.tryCall('POST', '/auth/login', { login: 'bob', password: passwords.ada }, null);
    assert.equal(wrong.status, 401);

    const area = await worker.call('POST', `/users/${users.ada}/api-keys`, { scopes: ['clients:read'] }, keys.full);
    const team = await worker.call('POST', '/namespaces', { name: 'old hands' }, keys.full);
    const namespace_id = team['namespace_id'] as number;
    await worker.call('PUT', `/namespaces/${namespace_id}/members/${users.bob}`, { role: 'member' }, keys.full);
    const theirs = await worker.call('POST', '/clients', { client_name: 'shared', namespace_id }, bobs);
    await worker.call('PUT', `/clients/${theirs['client_id']}`, { suspended: true, suspended_reason: 'test' });
    const upstreams = [clients.server, clients.rotated].map(({ clientId }) => ({ client_id: clientId }));
    const shared = await worker.call(
      'POST',
      '/domains',
      { subdomain: 'shared', upstreams, target_port: 80 },
      keys.full,
    );
    return { areaKey: area['api_key'] as string, accessToken, sharedDomain: shared['full_domain'] as string };
  }

  /** A request that the previous version answered is not carried out again. */
  async function checkRepetition(worker: WorkerOnDatabase): Promise<void> {
    const { key, path, body, answer } = fixture.facts.repeatable;
    const again = await worker.tryCall('POST', path, body, fixture.facts.keys.full, { 'idempotency-key': key });
    assert.equal(again.status, 201);
    assert.deepEqual(again.body, answer);
  }
});

/** A relay of the previous version registers by its key, without a join token, and has its id again. */
async function comeBack(
  worker: WorkerOnDatabase,
  known: { nodeId?: string; privateJwk?: object } | undefined,
): Promise<FakeRelay> {
  const relay = new FakeRelay(worker.apiUrl, known?.privateJwk);
  await relay.register();
  assert.equal(relay.nodeId, known?.nodeId);
  await relay.open();
  return relay;
}

function secretsOf(session: Body): Record<string, string> {
  const { bindings } = session['config'] as { bindings: { binding_id: string; secret: string | null }[] };
  return Object.fromEntries(
    bindings.flatMap(({ binding_id, secret }) => (secret === null ? [] : [[binding_id, secret]])),
  );
}
