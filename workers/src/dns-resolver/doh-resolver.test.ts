import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test, type TestContext } from 'node:test';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { type DohFront, startDohFront } from '@tunnox/testing/doh-front';
import { needs } from '@tunnox/testing/needs';
import { type PowerDnsFixture, startPowerDns } from '@tunnox/testing/powerdns';
import type { DnsResolver } from '../services/domain-proof-ports.ts';
import { createDohResolver } from './doh-resolver.ts';

const ZONE = 'customer.example';
const randomInteger = (below: number): number => Math.floor(Math.random() * below);

function resolverAt(url: string, timeoutMs?: number): DnsResolver {
  return createDohResolver({ fetch, randomInteger }, { url, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
}

const isAway = (error: unknown): boolean =>
  error instanceof TunnoxError && error.code === 'unavailable' && error.retryAfterS !== undefined;

suite('createDohResolver() with a real name server', { skip: needs('pdns_server') }, () => {
  let powerDns: PowerDnsFixture;
  let front: DohFront;
  let resolver: DnsResolver;

  before(async () => {
    powerDns = await startPowerDns();
    front = await startDohFront(powerDns.dnsPort);
    resolver = resolverAt(front.url);
    await powerDns.createZone(ZONE);
    await powerDns.createZone('elsewhere.example');
  });
  after(async () => {
    await front.stop();
    await powerDns.stop();
  });

  const set = (label: string, type: string, ...values: string[]): Promise<void> =>
    powerDns.setRecords(ZONE, `${label}.${ZONE}`, type, values);
  const lookUp = (label: string, type: 'TXT' | 'CNAME') => resolver.lookUp(`${label}.${ZONE}`, type);

  test('reads several texts, long ones and odd ones', async () => {
    const texts = ['tunnox-verify=abc', `${'x'.repeat(300)}"\\`, ''];
    await set('texts', 'TXT', ...texts);
    const { rcode, chain, values } = await lookUp('TEXTS', 'TXT');
    assert.deepEqual({ rcode, chain, values: values.sort() }, { rcode: 'NOERROR', chain: [], values: texts.sort() });
  });

  test('reads an answer that fits in no UDP packet', async () => {
    await set('big', 'TXT', ...Array.from({ length: 40 }, (_, i) => `${i}-${'y'.repeat(240)}`));
    assert.equal((await lookUp('big', 'TXT')).values.length, 40);
  });

  test('tells a name that is not there from one without such a record, and failures as such', async () => {
    await set('only-text', 'TXT', 'x');
    await set('broken', 'LUA', 'TXT "this is no Lua("');
    assert.deepEqual(await lookUp('nobody', 'TXT'), { rcode: 'NXDOMAIN', chain: [], values: [] });
    assert.deepEqual(await lookUp('only-text', 'CNAME'), { rcode: 'NOERROR', chain: [], values: [] });
    assert.deepEqual(await lookUp('broken', 'TXT'), { rcode: 'SERVFAIL', chain: [], values: [] });
    assert.equal((await resolver.lookUp('x.not-served.example', 'TXT')).rcode, 'REFUSED');
  });

  test('follows aliases within the answer and beyond it', async () => {
    await set('alias', 'CNAME', `middle.${ZONE}`);
    await set('middle', 'CNAME', 'end.elsewhere.example');
    await powerDns.setRecords('elsewhere.example', 'end.elsewhere.example', 'TXT', ['there']);
    const chain = [`middle.${ZONE}`, 'end.elsewhere.example'];
    assert.deepEqual(await lookUp('alias', 'TXT'), { rcode: 'NOERROR', chain, values: ['there'] });
    assert.deepEqual((await lookUp('alias', 'CNAME')).chain[0], chain[0]);
    await set('nowhere', 'CNAME', 'token.verify.tunnox.example');
    const dangling = await lookUp('nowhere', 'TXT');
    assert.deepEqual([dangling.chain, dangling.values], [['token.verify.tunnox.example'], []]);
  });

  test('ends in a circle of aliases, and in a chain without end', async () => {
    await set('chicken', 'CNAME', 'egg.elsewhere.example');
    await powerDns.setRecords('elsewhere.example', 'egg.elsewhere.example', 'CNAME', [`chicken.${ZONE}`]);
    const before = front.queries;
    const circle = await lookUp('chicken', 'TXT');
    assert.deepEqual(circle.values, []);
    assert.ok(circle.chain.length <= 8);
    assert.ok(front.queries - before <= 9);
  });

  test('says that the resolver is away when it fails, is silent or talks nonsense', async () => {
    await set('there', 'TXT', 'x');
    for (const mode of ['error', 'garbage', 'cut'] as const) {
      front.setMode(mode);
      await assert.rejects(lookUp('there', 'TXT'), isAway, mode);
    }
    front.setMode('hang');
    await assert.rejects(resolverAt(front.url, 100).lookUp(`there.${ZONE}`, 'TXT'), isAway);
    front.setMode('serve');
    assert.deepEqual((await lookUp('there', 'TXT')).values, ['x']);
  });

  test('says that the resolver is away when the name server behind it is down, and goes on afterwards', async () => {
    await set('again', 'TXT', 'x');
    await powerDns.pause();
    await assert.rejects(lookUp('again', 'TXT'), isAway);
    await powerDns.resume();
    assert.deepEqual((await lookUp('again', 'TXT')).values, ['x']);
  });
});

/** A resolver that answers so. */
async function answering(t: TestContext, listener: RequestListener): Promise<DnsResolver> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return resolverAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}/dns-query`, 2000);
}

test('createDohResolver() takes no more from a resolver than a message can have', async (t) => {
  let sent = 0;
  const resolver = await answering(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'application/dns-message' });
    const more = (): void => {
      while (sent < 50_000_000 && !response.destroyed) {
        sent += 16_384;
        if (!response.write(Buffer.alloc(16_384))) return void response.once('drain', more);
      }
      response.end();
    };
    more();
  });
  await assert.rejects(resolver.lookUp('a.example', 'TXT'), isAway);
  assert.ok(sent < 50_000_000, 'it was cut off');
});

test('createDohResolver() follows no redirection and takes no other type', async (t) => {
  let asked = 0;
  const redirecting = await answering(t, (request, response) => {
    asked += 1;
    if (request.url === '/dns-query') response.writeHead(307, { location: '/inside' }).end();
    else response.writeHead(200, { 'content-type': 'application/dns-message' }).end();
  });
  await assert.rejects(redirecting.lookUp('a.example', 'TXT'), isAway);
  assert.equal(asked, 1);
  const json = await answering(t, (_, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
  );
  await assert.rejects(json.lookUp('a.example', 'TXT'), isAway);
});

test('createDohResolver() says that a resolver is away to which nothing connects', async () => {
  await assert.rejects(resolverAt('http://127.0.0.1:1/dns-query').lookUp('a.example', 'TXT'), isAway);
});

test('createDohResolver() asks for no name that is none', async (t) => {
  const resolver = await answering(t, (_, response) => response.writeHead(500).end());
  assert.deepEqual(await resolver.lookUp('a..example', 'TXT'), { rcode: 'NOERROR', chain: [], values: [] });
});
