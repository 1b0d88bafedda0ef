import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { type DohFront, startDohFront } from '@tunnox/testing/doh-front';
import { needs } from '@tunnox/testing/needs';
import { type PebbleFixture, startPebble } from '@tunnox/testing/pebble';
import { type PowerDnsFixture, startPowerDns } from '@tunnox/testing/powerdns';
import { waitFor } from '@tunnox/testing/wait-for';
import type { FakeRelay } from './fake-relay.ts';
import type { Body, TestStack } from './test-stack.ts';

const skip = needs('pdns_server', 'pebble');
const BASE = 'tunnox.example';
const WAIT_MS = 60_000;

let dns: PowerDnsFixture;
let doh: DohFront;
let pebble: PebbleFixture;
let stack: TestStack;
let relay: FakeRelay;
let visited: Server;
/** What was asked for at the port at which relays serve HTTP. */
const asked: string[] = [];

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
  if (token === undefined) return null;
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
    if (process.env['STRICT'] !== undefined) throw new Error(stack.logLines.slice(-20).join('\n'), { cause: error });
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
  assert.deepEqual((await dns.records(BASE)).filter(({ type }) => type === 'TXT').map(({ name }) => name), []);
});
