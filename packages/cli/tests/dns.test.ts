import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test, type TestContext } from 'node:test';
import { ApiCaller } from '@tunnox/api-client/api-caller';
import { ManagementApi } from '@tunnox/api-client/management-api';
import type { Certificate } from '@tunnox/domain/api/certificates';
import { type ControlPlaneFixture, startControlPlane } from '@tunnox/testing/control-plane-fixture';
import { needs } from '@tunnox/testing/needs';
import { type PowerDnsFixture, startPowerDns } from '@tunnox/testing/powerdns';
import { command, configDir, type PrintedEvent } from './run-command.ts';

const ZONE = 'cli.example';

suite('tunnox dns, tunnox domains explain', { skip: needs('pdns_server') }, () => {
  let plane: ControlPlaneFixture;
  let dns: PowerDnsFixture;
  before(async () => {
    plane = await startControlPlane();
    dns = await startPowerDns();
    await dns.createZone(ZONE);
  });
  after(async () => {
    await plane?.stop();
    await dns?.stop();
  });

  /** Commands of an operator, or with another key. */
  async function operator(t: TestContext, key = plane.operatorKey) {
    const env = {
      ...{ TUNNOX_SERVER: plane.apiUrl, TUNNOX_API_KEY: key },
      TUNNOX_CONFIG_DIR: await configDir(t),
    };
    const run = async (args: string[], input?: string) => {
      const running = command(t, args, env, ...(input === undefined ? [] : [input]));
      return { running, code: await running.exit };
    };
    return {
      async text(...args: string[]): Promise<{ code: number; out: string; error: string }> {
        const { running, code } = await run(args);
        return { code, out: await running.stdout, error: await running.stderr };
      },
      async json(...args: string[]): Promise<PrintedEvent> {
        const running = command(t, [...args, '--json'], env);
        const event = await running.events.next(() => true);
        await running.exit;
        return event;
      },
      run,
    };
  }

  test('a zone is connected, looked at, filled, and let be', async (t) => {
    const { text, json, run } = await operator(t);
    assert.match((await text('dns', 'credentials')).out, /^No credentials: /);
    const create = ['dns', 'credentials', 'create', 'pdns', '--provider', 'powerdns', '--endpoint', dns.apiUrl];
    const made = await run(create, `${dns.apiKey}\n`);
    const shown = await made.running.stdout;
    assert.match(shown, /^Credential {4}\d+ pdns\nProvider {6}powerdns at http/);
    assert.ok(!shown.includes(dns.apiKey), 'the token is shown nowhere');
    const credential = /^Credential {4}(\d+)/.exec(shown)?.[1] ?? '';
    const none = await run(create, '\n');
    assert.equal(none.code, 2);

    const zone = await text('dns', 'zones', 'create', ZONE, '--credential', credential, '--policy', 'dry_run');
    assert.match(zone.out, /^Zone {10}cli\.example \(id \d+, active\)/);
    assert.match(zone.out, /\nPolicy {8}dry_run, guard 30 %\n/);
    assert.equal((await text('dns', 'records')).out.startsWith('No records'), true);
    const record = await text('dns', 'records', 'create', ZONE, 'a', 'www', '203.0.113.5', '--ttl', '120');
    assert.match(record.out, /^Record {8}\d+ A www\.cli\.example 203\.0\.113\.5\n/);
    const id = /^Record {8}(\d+)/.exec(record.out)?.[1] ?? '';

    const plan = await text('dns', 'zones', 'reconcile', ZONE, '--dry-run');
    assert.match(plan.out, /create +A +www\.cli\.example +203\.0\.113\.5 +planned/);
    assert.match(plan.out, /Nothing was changed: this is the plan/);
    assert.deepEqual(await dns.records(ZONE), []);
    assert.match(
      (await text('dns', 'zones', 'update', ZONE, '--policy', 'sync', '--guard', '50')).out,
      /sync, guard 50 %/,
    );
    assert.equal((await text('dns', 'zones', 'update', ZONE)).code, 2);
    const run1 = await json('dns', 'zones', 'reconcile', ZONE);
    assert.equal((run1['run'] as { status: string }).status, 'done');
    assert.equal((await text('dns', 'zones', 'reconcile', ZONE)).out, 'Everything is as it shall be\n');
    const [line] = (await text('dns', 'records', '--zone', ZONE, '--type', 'a')).out.split('\n').slice(1);
    assert.match(line ?? '', new RegExp(`${id} +A +www\\.cli\\.example +203\\.0\\.113\\.5 +120 +active +manual`));
    assert.match((await text('dns', 'records', 'show', id)).out, /Status {8}active\n/);
    assert.match((await text('dns', 'records', 'retry', id)).out, /^Record/);
    assert.match((await text('dns', 'zones', 'runs', ZONE)).out, /full +done/);
    assert.match((await text('dns', 'zones')).out, /cli\.example +powerdns +sync +active/);

    assert.match((await text('dns', 'credentials', 'delete', credential)).error, /zone/i);
    assert.match((await text('dns', 'zones', 'delete', ZONE)).error, /has records/);
    assert.equal(
      (await text('dns', 'records', 'delete', id)).out,
      '1 will be gone once the provider has confirmed it\n',
    );
    await text('dns', 'zones', 'reconcile', ZONE);
    assert.deepEqual(await dns.records(ZONE), []);
    assert.equal((await text('dns', 'zones', 'delete', ZONE)).out, 'cli.example is let be\n');
    assert.match((await text('dns', 'credentials', 'update', credential, '--name', 'other')).out, /other/);
    assert.equal((await text('dns', 'credentials', 'delete', credential)).out, `Credential ${credential} is deleted\n`);
    assert.match((await text('dns', 'zones', 'show', ZONE)).error, /You have no zone cli\.example/);
  });

  test('a plan that the guard refuses is told with the command that lets it pass', async (t) => {
    const { text, json, run } = await operator(t);
    await dns.createZone('guarded.example');
    const { running } = await run(
      ['dns', 'credentials', 'create', 'pdns', '--provider', 'powerdns', '--endpoint', dns.apiUrl, '--json'],
      `${dns.apiKey}\n`,
    );
    const credential = (await running.events.next(() => true))['credential'] as { credential_id: number };
    await text('dns', 'zones', 'create', 'guarded.example', '--credential', String(credential.credential_id));
    for (let i = 0; i < 12; i += 1) {
      await text('dns', 'records', 'create', 'guarded.example', 'TXT', `t${i}`, `value ${i}`);
    }
    await text('dns', 'zones', 'reconcile', 'guarded.example');
    const { records } = (await json('dns', 'records', '--zone', 'guarded.example')) as unknown as {
      records: { record_id: number }[];
    };
    assert.equal(records.length, 12);
    // All at once, and no run of the zone's own between this and ours.
    await text('dns', 'zones', 'update', 'guarded.example', '--guard', '10');
    await text('dns', 'records', 'delete', ...records.map(({ record_id }) => String(record_id)), '--yes');
    const refused = await text('dns', 'zones', 'reconcile', 'guarded.example');
    const [, confirm = ''] = /--confirm ([0-9a-f]{64})/.exec(refused.out) ?? [];
    assert.match(refused.out, /To let it pass: tunnox dns zones reconcile \d+ --confirm /);
    assert.equal((await dns.records('guarded.example')).length, 12);
    await text('dns', 'zones', 'reconcile', 'guarded.example', '--confirm', confirm);
    assert.equal((await dns.records('guarded.example')).length, 0);
  });

  test('tunnox domains explain names every record that is missing', async (t) => {
    const api = new ManagementApi(new ApiCaller({}, { server: plane.apiUrl, userAgent: 'test' }), plane.operatorKey);
    const user = await api.users.create({ username: 'explained', email: 'explained@customer.example', plan: 'pro' });
    const { api_key } = await api.apiKeys.create(user.user_id, {});
    const { text, json } = await operator(t, api_key);
    const { client } = (await json('clients', 'create', 'web')) as unknown as { client: { client_id: number } };
    const to = String(client.client_id);
    await text('domains', 'create', '80', '--to', to, '--domain', 'shop.cli.example');
    const explained = await text('domains', 'explain', 'shop.cli.example');
    assert.match(explained.out, /^shop\.cli\.example: \d of 4 are not done\n\nOwnership +/);
    assert.match(
      explained.out,
      /\nDNS +waiting +Nobody has looked yet.*\n {2}CNAME shop\.cli\.example +relays\.tunnox\.localhost\n/,
    );
    assert.match(explained.out, /\nChallenge +waiting/);
    assert.match(explained.out, /\nCertificate +waiting/);
    await text('domains', 'create', '80', '--to', to, '--subdomain', 'under-base');
    assert.match((await text('domains', 'explain', 'under-base')).out, /there is nothing to set up/);
  });
});

test('tunnox certs lists, shows and renews', async (t) => {
  const certificate: Certificate = {
    certificate_id: 7,
    names: ['*.cert.example', 'cert.example'],
    base_domain: null,
    domain_id: 3,
    state: 'active',
    challenge: 'dns-01',
    delegation: { type: 'CNAME', name: '_acme-challenge.cert.example', value: 'x._acme.tunnox.example' },
    not_before: '2026-01-01T00:00:00Z',
    not_after: new Date(Date.now() + 40.5 * 86_400_000).toISOString(),
    next_attempt_at: null,
    retry_count: 2,
    last_error: 'CAA records forbid it',
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
    certificate_version: 4,
  };
  const calls: string[] = [];
  const server = createServer((request, response) => {
    calls.push(`${request.method} ${request.url}`);
    const isList = request.url?.startsWith('/api/v1/certificates?') === true;
    const found = request.url?.includes('name=nobody') === true ? [] : [certificate];
    const page = { certificates: found, total: found.length, page: 1, limit: 100, next_cursor: null };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isList ? page : certificate));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const env = {
    TUNNOX_SERVER: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    TUNNOX_API_KEY: 'tnx_live_test',
    TUNNOX_CONFIG_DIR: await configDir(t),
  };
  const run = async (...args: string[]) => {
    const running = command(t, args, env);
    const code = await running.exit;
    return { code, out: await running.stdout, error: await running.stderr };
  };
  const listed = await run('certs');
  assert.equal(listed.error, '');
  assert.match(listed.out, /7 +\*\.cert\.example cert\.example +active +in 40 d +dns-01 +– +CAA records forbid it\n/);
  const shown = (await run('certs', 'show', 'Cert.example')).out;
  assert.match(shown, /^Certificate {3}7 for \*\.cert\.example, cert\.example\nState {9}active\n/);
  assert.match(shown, /Error {9}CAA records forbid it \(2 orders\)\n/);
  assert.match(shown, / {2}CNAME _acme-challenge\.cert\.example {2}x\._acme\.tunnox\.example\n/);
  assert.match((await run('certs', 'renew', '7')).out, /^Certificate {3}7 /);
  const unknown = await run('certs', 'show', 'nobody.example');
  assert.equal(unknown.code, 1);
  assert.match(unknown.error, /You have no certificate for nobody\.example: see `tunnox certs`/);
  assert.deepEqual(
    calls.filter((call) => !call.includes('/me')),
    [
      'GET /api/v1/certificates?limit=100',
      'GET /api/v1/certificates?name=cert.example',
      'GET /api/v1/certificates/7',
      'POST /api/v1/certificates/7/renew',
      'GET /api/v1/certificates?name=nobody.example',
    ],
  );
});
