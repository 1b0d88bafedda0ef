import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DohFront, startDohFront } from '@tunnox/testing/doh-front';
import { needs } from '@tunnox/testing/needs';
import { type PebbleFixture, startPebble } from '@tunnox/testing/pebble';
import { freePortBlock } from '@tunnox/testing/port-block';
import { type PowerDnsFixture, startPowerDns } from '@tunnox/testing/powerdns';
import { waitFor } from '@tunnox/testing/wait-for';
import type { FakeRelay } from './fake-relay.ts';
import { readProgram } from './previous-version/fixture.ts';
import { RunningProgram } from './previous-version/running-program.ts';
import type { Body, TestStack } from './test-stack.ts';

const skip = needs('pdns_server', 'pebble');
const BASE = 'tunnox.example';
const OPERATOR_KEY = 'operator-key-of-the-tests-0123456789';
const WAIT_MS = 60_000;

let dns: PowerDnsFixture;
let doh: DohFront;
let pebble: PebbleFixture;
let stack: TestStack;
let relay: FakeRelay;
let visited: Server;
/** What was asked for at the port at which relays serve HTTP. */
const asked: string[] = [];
/** What is answered in place of the proof; null: the proof. */
let stray: string | null = null;

before(async () => {
  if (skip !== false) return;
  dns = await startPowerDns();
  // Answers for every name that is climbed to.
  for (const zone of ['example', BASE, 'customer.example']) await dns.createZone(zone);
  doh = await startDohFront(dns.dnsPort);
  visited = createServer((request, response) => {
    void answerAsRelay(request.headers.host ?? '', request.url ?? '').then((text) => {
      response.writeHead(text === null ? 404 : 200).end(text ?? 'nothing here');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => visited.once('listening', resolve));
  pebble = await startPebble({ dnsPort: dns.dnsPort, httpPort: (visited.address() as AddressInfo).port });
  // Read when the runtime is imported.
  process.env['NODE_EXTRA_CA_CERTS'] = pebble.caFile;
  const [{ TestStack: Stack }, { FakeRelay: Relay }] = await Promise.all([
    import('./test-stack.ts'),
    import('./fake-relay.ts'),
  ]);
  stack = await Stack.start({
    DNS_RESOLVER_URL: doh.url,
    ACME_DIRECTORY_URL: pebble.directoryUrl,
    ACME_CONTACT: 'operations@tunnox.example',
    DNS_BEAT_MS: '200',
    BASE_DOMAINS: BASE,
  });
  const { body } = await stack.asOperator('POST', '/join-tokens', { uses: null });
  relay = new Relay(stack.url);
  await relay.register({ join_token: body['join_token'] as string });
  await relay.open();
});
after(async () => {
  relay?.drop();
  await stack?.stop();
  visited?.close();
  await Promise.all([doh?.stop(), pebble?.stop(), dns?.stop()]);
});

/** As a relay does: whoever has published the token, the control plane knows it. */
async function answerAsRelay(host: string, path: string): Promise<string | null> {
  asked.push(`${host}${path}`);
  const token = /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]+)$/.exec(path)?.[1];
  if (token === undefined || stray !== null) return stray;
  const name = host.split(':')[0] ?? '';
  const answer = await relay.call(`/acme-challenge?token=${token}&host=${name}`);
  return ((await answer.json()) as Body)['key_authorization'] as string | null;
}

async function certificateOf(name: string): Promise<Body | undefined> {
  const { status, body } = await stack.asOperator('GET', `/certificates?name=${encodeURIComponent(name)}`);
  assert.equal(status, 200, JSON.stringify(body));
  return (body['certificates'] as Body[])[0];
}

/** Waits until the certificate of a name is as it should be. */
async function until(name: string, holds: (certificate: Body) => boolean): Promise<Body> {
  let last: Body | undefined;
  await waitFor(async () => {
    last = await certificateOf(name);
    return last !== undefined && holds(last);
  }, WAIT_MS).catch((error: unknown) => {
    throw new Error(`${name}: ${JSON.stringify(last)}\n${stack.logLines.slice(-20).join('\n')}`, { cause: error });
  });
  return last as Body;
}

async function sweep(): Promise<void> {
  await stack.sweep().catch((error: unknown) => {
    throw new Error(stack.logLines.slice(-20).join('\n'), { cause: error });
  });
}

async function connectZone(): Promise<number> {
  const credential = await stack.asOperator('POST', '/dns/credentials', {
    ...{ name: 'dns', provider: 'powerdns', token: dns.apiKey, endpoint: dns.apiUrl },
  });
  const { status, body } = await stack.asOperator('POST', '/dns/zones', {
    ...{ domain: BASE, credential_id: credential.body['credential_id'] },
  });
  assert.equal(status, 201, JSON.stringify(body));
  return body['zone_id'] as number;
}

async function delivered(): Promise<Body[]> {
  const answer = await relay.call('/certificates?since=0');
  assert.equal(answer.status, 200);
  return ((await answer.json()) as Body)['certificates'] as Body[];
}

test('a base domain gets a certificate by DNS as soon as its zone is connected', { skip }, async () => {
  await sweep();
  const waits = await until(`*.${BASE}`, (one) => one['last_error'] !== null);
  assert.match(waits['last_error'] as string, /have no DNS zone in which tunnox\.example lies/);
  assert.deepEqual([waits['state'], waits['names']], ['pending', [`*.${BASE}`, BASE]]);
  const zoneId = await connectZone();
  await sweep();
  const active = await until(BASE, (one) => one['state'] === 'active');
  assert.deepEqual([active['last_error'], active['delegation'], active['challenge']], [null, null, 'dns-01']);
  const [held] = (await delivered()).filter((one) => (one['names'] as string[]).includes(BASE));
  assert.ok(held);
  const leaf = new X509Certificate(held['chain'] as string);
  assert.deepEqual(leaf.subjectAltName?.split(', ').toSorted(), [`DNS:*.${BASE}`, `DNS:${BASE}`]);
  assert.match(held['key'] as string, /^-----BEGIN PRIVATE KEY-----/);
  // What was published for the order goes.
  await waitFor(async () => {
    const left = await stack.asOperator('GET', `/dns/records?zone_id=${zoneId}&owner_type=acme_challenge`);
    return left.body['total'] === 0;
  }, WAIT_MS);
  assert.deepEqual(
    (await dns.records(BASE)).filter(({ type }) => type === 'TXT').map(({ name }) => name),
    [],
  );
});

/** A tenant's custom domain, proved. @returns Its id. */
async function provedDomain(tenant: { token: string }, name: string, zone = 'customer.example'): Promise<number> {
  const clientId = await stack.newClient(tenant.token, name);
  const made = await stack.call('POST', '/domains', {
    token: tenant.token,
    body: { domain: name, client_id: clientId, target_port: 80 },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const [proof] = made.body['proofs'] as { name: string; value: string }[];
  assert.ok(proof);
  await dns.setRecords(zone, proof.name, 'TXT', [proof.value]);
  await verify(tenant, made.body['domain_id'] as number);
  return made.body['domain_id'] as number;
}

async function verify(tenant: { token: string }, domainId: number): Promise<void> {
  const verified = await stack.call('POST', `/domains/${domainId}/verify`, { token: tenant.token });
  assert.equal(verified.body['verification_state'], 'verified', JSON.stringify(verified.body));
}

async function renew(name: string, token?: string): Promise<void> {
  const { certificate_id } = (await certificateOf(name)) as Body;
  const path = `/certificates/${certificate_id}/renew`;
  const answer = token === undefined ? await stack.asOperator('POST', path) : await stack.call('POST', path, { token });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}

async function ordersOf(name: string): Promise<number> {
  const { rows } = await stack.database.query('select order_id from certificate_orders where names = $1', [[name]]);
  return rows.length;
}

test('a custom domain waits until it leads here, then gets a certificate by HTTP', { skip }, async () => {
  const tenant = await stack.newUser('shop');
  const name = 'shop.customer.example';
  const domainId = await provedDomain(tenant, name);
  const waits = await until(name, (one) => one['last_error'] !== null);
  assert.match(
    waits['last_error'] as string,
    /shop\.customer\.example has no address .* add a CNAME record from _acme-challenge/,
  );
  assert.deepEqual([waits['state'], waits['domain_id'], await ordersOf(name)], ['pending', domainId, 0]);
  await dns.setRecords('customer.example', name, 'A', ['203.0.113.77']);
  await renew(name, tenant.token);
  const elsewhere = await until(name, (one) => /203\.0\.113\.77/.test(String(one['last_error'])));
  assert.match(elsewhere['last_error'] as string, /leads to 203\.0\.113\.77, which is no relay/);
  await dns.setRecords('customer.example', name, 'A', ['127.0.0.1']);
  await renew(name, tenant.token);
  const active = await until(name, (one) => one['state'] === 'active');
  assert.deepEqual([active['challenge'], active['last_error'], await ordersOf(name)], ['http-01', null, 1]);
  assert.ok(asked.some((one) => one.startsWith(name)));
  const { rows } = await stack.database.query('select * from acme_http_tokens');
  assert.equal(rows.length, 0);
  // Relays hear of it at once.
  await relay.receive('certificates');
});

test('a custom domain whose proofs are left to us needs no address', { skip }, async () => {
  const tenant = await stack.newUser('left');
  const name = 'left.customer.example';
  await provedDomain(tenant, name);
  const { delegation } = await until(name, (one) => one['last_error'] !== null);
  assert.match(delegation.value, /^[0-9a-f]{32}\._acme\.tunnox\.example$/);
  await dns.setRecords('customer.example', delegation.name, 'CNAME', [delegation.value]);
  await renew(name, tenant.token);
  const active = await until(name, (one) => one['state'] === 'active');
  assert.equal(active['challenge'], 'dns-01');
});

test('CAA records are obeyed before anything is ordered', { skip }, async () => {
  const tenant = await stack.newUser('caa');
  const name = 'caa.customer.example';
  await dns.setRecords('customer.example', name, 'A', ['127.0.0.1']);
  await dns.setRecords('customer.example', name, 'CAA', ['0 issue ";"']);
  await provedDomain(tenant, name);
  const held = await until(name, (one) => one['last_error'] !== null);
  assert.match(held['last_error'] as string, /CAA records of caa\.customer\.example do not allow .*names nobody/);
  assert.equal(await ordersOf(name), 0);
  await dns.setRecords('customer.example', name, 'CAA', []);
  await renew(name);
  await until(name, (one) => one['state'] === 'active');
});

test('an authority that is away is waited for, and one that was set up anew gets a new account', { skip }, async () => {
  const tenant = await stack.newUser('away');
  const name = 'away.customer.example';
  await dns.setRecords('customer.example', name, 'A', ['127.0.0.1']);
  await pebble.pause();
  await provedDomain(tenant, name);
  const away = await until(name, (one) => one['last_error'] !== null);
  assert.match(away['last_error'] as string, /certificate authority at 127\.0\.0\.1:\d+ cannot be reached/);
  assert.deepEqual([away['state'], away['retry_count']], ['pending', 0]);
  const accounts = async (): Promise<unknown[]> =>
    (await stack.database.query('select account_url from acme_accounts')).rows;
  const before = await accounts();
  await pebble.resume();
  await renew(name);
  await until(name, (one) => one['state'] === 'active');
  assert.notDeepEqual(await accounts(), before);
});

test('a validation that fails is told in the words of the authority, and tried again', { skip }, async () => {
  const tenant = await stack.newUser('fails');
  const name = 'fails.customer.example';
  await dns.setRecords('customer.example', name, 'A', ['127.0.0.1']);
  stray = 'nothing of ours';
  await provedDomain(tenant, name);
  const failed = await until(name, (one) => one['state'] === 'error');
  stray = null;
  assert.match(failed['last_error'] as string, /fails\.customer\.example was not proved: .+/);
  assert.equal(failed['retry_count'], 1);
  assert.ok(Date.parse(failed['next_attempt_at'] as string) > Date.now() + 200_000);
  await renew(name, tenant.token);
  const active = await until(name, (one) => one['state'] === 'active');
  assert.deepEqual([active['retry_count'], active['last_error']], [0, null]);
});

test(
  'a Worker that dies at every step goes on where it was, and there is a certificate in the end',
  { skip },
  async () => {
    const tenant = await stack.newUser('dies');
    const name = 'dies.customer.example';
    await dns.setRecords('customer.example', name, 'A', ['127.0.0.1']);
    const seen = new Set<string>();
    const before = stack.runtimes.length;
    await provedDomain(tenant, name);
    await waitFor(async () => {
      const { rows } = await stack.database.query<{ state: string; running: boolean; active: boolean }>(
        `select coalesce(order_state->>'finalized', state) as state, lease_until > now() as running, state = 'active' as active
       from certificates where names = $1`,
        [[name]],
      );
      const [row] = rows;
      if (row === undefined || row.active) return row?.active === true;
      if (!seen.has(row.state)) {
        seen.add(row.state);
        process.kill(stack.runtimes.at(-1) as number, 'SIGKILL');
      }
      // What its lease would end after some minutes.
      await stack.database.query(
        `update certificates set lease_until = now() where names = $1 and lease_until > now()`,
        [[name]],
      );
      await stack.sweep().catch(() => {});
      return false;
    }, WAIT_MS);
    assert.ok(seen.size >= 2, [...seen].join());
    assert.ok(stack.runtimes.length >= before + seen.size, 'each one died');
    // One that dies between the order and writing it down leaves an order that nobody knows.
    assert.ok((await ordersOf(name)) <= 2);
  },
);

test('the limits of the authority are kept, for names and for tenants', { skip }, async () => {
  const name = 'shop.customer.example';
  await stack.database.query(
    `insert into certificate_orders (certificate_id, names, issued_at, ordered_at)
     select 1, array['shop.customer.example'], now(), now() - interval '1 day' from generate_series(1, 5)`,
  );
  const before = await ordersOf(name);
  await renew(name);
  const held = await until(name, (one) => one['last_error'] !== null);
  assert.match(held['last_error'] as string, /5 certificates were issued for these names within a week/);
  assert.equal(held['state'], 'active');
  assert.ok(Date.parse(held['next_attempt_at'] as string) > Date.now() + 5 * 86_400_000);
  assert.equal(await ordersOf(name), before);
});

test('one tenant does not use up the orders of all', { skip }, async () => {
  const tenant = await stack.newUser('many');
  await stack.database.query(
    `insert into certificate_orders (certificate_id, user_id, names, ordered_at)
     select 1, $1, array['many' || n], now() - interval '50 minutes' from generate_series(1, 20) n`,
    [tenant.userId],
  );
  const name = 'many.customer.example';
  await dns.setRecords('customer.example', name, 'A', ['127.0.0.1']);
  await provedDomain(tenant, name);
  const held = await until(name, (one) => one['last_error'] !== null);
  assert.match(held['last_error'] as string, /20 orders were begun for your domains within an hour/);
  assert.ok(Date.parse(held['next_attempt_at'] as string) > Date.now() + 9 * 60_000);
  assert.deepEqual([held['state'], held['retry_count'], await ordersOf(name)], ['pending', 0, 0]);
});

test('two control planes at once make one order', { skip }, async () => {
  const tenant = await stack.newUser('both');
  const name = 'both.customer.example';
  await provedDomain(tenant, name);
  await until(name, (one) => one['last_error'] !== null);
  await dns.setRecords('customer.example', name, 'A', ['127.0.0.1']);
  const second = await stack.addControlPlane();
  await stack.database.query('update certificates set next_attempt_at = now() where names = $1', [[name]]);
  // One that is at its limit: asking for it wakes the work on all of them, in both places at once.
  const { certificate_id } = (await certificateOf('shop.customer.example')) as Body;
  const wakes = [stack.url, second].map((url) =>
    fetch(`${url}/api/v1/certificates/${certificate_id}/renew`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_KEY}` },
    }),
  );
  for (const answer of await Promise.all(wakes)) assert.equal(answer.status, 200);
  await until(name, (one) => one['state'] === 'active');
  assert.equal(await ordersOf(name), 1);
});

test('a domain takes its certificate with it, and relays hear of that too', { skip }, async () => {
  const name = 'left.customer.example';
  const { certificate_id, domain_id } = (await certificateOf(name)) as Body;
  assert.ok((await delivered()).some((one) => one['certificate_id'] === certificate_id && one['key'] !== null));
  await stack.asOperator('DELETE', `/domains/${domain_id}`);
  await stack.sweep();
  await waitFor(async () => (await certificateOf(name)) === undefined, WAIT_MS);
  const gone = (await delivered()).find((one) => one['certificate_id'] === certificate_id);
  assert.deepEqual([gone?.['chain'], gone?.['key']], [null, null]);
  const { rows } = await stack.database.query('select key_encrypted from certificates where certificate_id = $1', [
    certificate_id,
  ]);
  assert.deepEqual(rows, [{ key_encrypted: null }]);
});

test('tenants see the certificates of their own domains, and nobody sees a key', { skip }, async () => {
  const stranger = await stack.newUser('stranger');
  const shop = (await certificateOf('shop.customer.example')) as Body;
  const base = (await certificateOf(BASE)) as Body;
  for (const { certificate_id } of [shop, base]) {
    const found = await stack.call('GET', `/certificates/${certificate_id}`, { token: stranger.token });
    const renewed = await stack.call('POST', `/certificates/${certificate_id}/renew`, { token: stranger.token });
    assert.deepEqual([found.status, renewed.status], [404, 404]);
  }
  const own = await stack.call('GET', '/certificates', { token: stranger.token });
  assert.deepEqual([own.body['certificates'], own.body['total']], [[], 0]);
  const all = await stack.asOperator('GET', '/certificates?state=active&limit=1');
  assert.deepEqual([all.body['certificates'].length, all.body['total'] > 1], [1, true]);
  const { rows } = await stack.database.query<{ text: string }>('select to_jsonb(a)::text as text from audit_log a');
  const everything = [JSON.stringify(all.body), ...stack.logLines, ...rows.map(({ text }) => text)].join('\n');
  assert.ok(!/PRIVATE KEY|"d":"/.test(everything));
  for (const action of [
    'certificate.create',
    'certificate.issue',
    'certificate.renew',
    'certificate.fail',
    'certificate.delete',
  ]) {
    assert.ok(everything.includes(`"${action}"`), action);
  }
});

test('a relay of the previous version passes over what it does not know, and goes on', { skip }, async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'tunnox-previous-'));
  const file = join(dir, 'relay.mjs');
  await writeFile(file, await readProgram('relay'));
  const { body } = await stack.asOperator('POST', '/join-tokens', { uses: null });
  const first = await freePortBlock(30);
  const ports = ['AGENT_TCP', 'AGENT_WS', 'HTTP', 'HTTPS', 'BRIDGE', 'METRICS'].map(
    (port, index) => [`TUNNOX_${port}_PORT`, String(first + index)] as const,
  );
  const program = new RunningProgram('The previous relay', file, [], {
    ...Object.fromEntries(ports),
    ...{
      TUNNOX_PUBLIC_PORTS: `${first + 10}-${first + 19}`,
      TUNNOX_API_URL: stack.url,
      TUNNOX_STATE_DIR: join(dir, 'state'),
    },
    ...{
      TUNNOX_JOIN_TOKEN: body['join_token'] as string,
      TUNNOX_BIND: '127.0.0.1',
      TUNNOX_PUBLIC_ADDRESS: '127.0.0.1',
    },
  });
  t.after(async () => {
    await program.stop();
    await rm(dir, { recursive: true, force: true });
  });
  const { node_id } = await program.says((line) => line['type'] === 'ready');
  await renew('fails.customer.example');
  const said = await program.says((line) => /was not understood/.test(String(line['msg'])));
  assert.equal(typeof said['seq'], 'number');
  // What follows still comes.
  const drained = await stack.asOperator('POST', `/nodes/${String(node_id)}/drain`, {});
  assert.ok(drained.status < 300, JSON.stringify(drained.body));
  await program.says((line) => /wants this relay to drain/.test(String(line['msg'])));
});

test('metrics say how many there are, which end first, and what is late', { skip }, async () => {
  const { body } = await stack.asOperator('GET', '//metrics');
  const text = body['text'] as string;
  assert.match(text, /^tunnox_certificates\{state="active"\} [1-9]\d*$/m);
  assert.match(text, /^tunnox_certificate_days_left\{name="\*\.tunnox\.example"\} 1\d{3}\./m);
  assert.match(text, /^tunnox_certificate_steps_late_seconds \d/m);
  assert.match(text, /^tunnox_certificate_orders_last_hour [1-9]/m);
  assert.match(text, /^tunnox_certificate_authority_blocked_seconds 0$/m);
});

test('only relays are given keys, and tokens', { skip }, async () => {
  for (const path of [
    '//relay/v1/certificates?since=0',
    '//relay/v1/acme-challenge?token=abcdefghijklmnop&host=a.example',
  ]) {
    for (const token of [undefined, OPERATOR_KEY, (await stack.newAnonymous()).token]) {
      assert.equal((await stack.call('GET', path, { token })).status, 401);
    }
  }
  const unknown = await relay.call('/acme-challenge?token=abcdefghijklmnop&host=a.example');
  assert.deepEqual(await unknown.json(), { key_authorization: null });
  const malformed = await relay.call('/acme-challenge?token=a/b&host=a.example');
  assert.equal(malformed.status, 422);
});
